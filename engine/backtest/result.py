"""What a backtest is asked and what it answers; both travel as JSON between processes and live in the data folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.domain.market import Timeframe


class BacktestSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One run. Data comes from `path` (Parquet or CSV with timestamp, open, high, low, close, volume)."""

    strategy: str
    symbol: str
    path: str
    parameters: dict[str, float | int | bool | str] = {}
    timeframe: Timeframe | None = None
    """Resample to it; None keeps the file's own bars."""
    start: str = ""
    """ISO date, inclusive; empty for the first bar."""
    end: str = ""
    """ISO date, inclusive; empty for the last bar."""
    capital: float = 100_000.0
    commission_per_share: float = 0.0
    commission_percent: float = 0.0
    slippage_bps: float = 1.0
    participation: float = 0.1
    """The largest share of a bar's volume that one order may take; 0 = no limit."""
    allow_short: bool = False


class BacktestTrade(msgspec.Struct, frozen=True, kw_only=True):
    """A round trip: from flat (or a flip) to flat."""

    opened_at: int
    closed_at: int
    side: str
    quantity: float
    entry_price: float
    exit_price: float
    pnl: float
    return_pct: float
    bars_held: int
    fees: float


class BacktestResult(msgspec.Struct, frozen=True, kw_only=True):
    """Curves are lists of equal length, one entry per bar (times int nanoseconds UTC)."""

    run_id: str
    spec: BacktestSpec
    created_at: int
    title: str
    timestamps: list[int]
    equity: list[float]
    benchmark: list[float]
    """Buy and hold of the same capital."""
    drawdown: list[float]
    """Share below the running peak, 0 or negative."""
    position: list[float]
    close: list[float]
    trades: list[BacktestTrade]
    metrics: dict[str, float]
    """By name: total_return, cagr, volatility, sharpe, sortino, calmar, max_drawdown, win_rate, profit_factor,
    trades, exposure, fees, turnover, benchmark_return … (shares, not percent)."""
    warnings: list[str] = []


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run is: share done from 0 to 1, and a word on what it does."""

    done: float
    stage: str = ""


def read_result(path: Path) -> BacktestResult:
    return msgspec.json.decode(path.read_bytes(), type=BacktestResult)
