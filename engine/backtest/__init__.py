"""Backtests: the live strategy code on history, filled by the exchange's own matching engine."""
