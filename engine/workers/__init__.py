"""One short module for each kind of child process, started as `python -m engine.workers KIND`."""

KINDS = ("exchange", "hub", "feed", "bot", "recorder", "backtest")
