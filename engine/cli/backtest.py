"""`paddock backtest`: run, print the figures beside buy and hold, write the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from engine.backtest.report import SHARES, write_csv, write_html
from engine.backtest.result import BacktestResult, BacktestSpec
from engine.backtest.runner import run
from engine.clock import IdFactory, SystemClock
from engine.domain.errors import ConfigurationError
from engine.domain.market import Timeframe

WRITERS = {".html": write_html, ".csv": write_csv}


@dataclass(frozen=True)
class Wanted:
    """As on the command line."""

    strategy: str
    data: Path
    parameters: Mapping[str, str]
    report: Path | None
    symbol: str | None
    timeframe: str | None
    start: str
    end: str
    capital: float
    commission: float
    slippage: float
    allow_short: bool


def run_backtest(wanted: Wanted) -> None:
    """Raises ConfigurationError and DataError; what is wrong with the report is found before the run."""
    if wanted.report is not None and wanted.report.suffix.lower() not in WRITERS:
        raise ConfigurationError(
            f"{wanted.report.name} is neither .html nor .csv.", "Name the report FILE.html or FILE.csv."
        )
    clock = SystemClock()
    spec = BacktestSpec(
        strategy=wanted.strategy,
        symbol=wanted.symbol or wanted.data.stem,
        path=str(wanted.data.absolute()),
        parameters=dict(wanted.parameters),
        timeframe=_timeframe(wanted.timeframe),
        start=wanted.start,
        end=wanted.end,
        capital=wanted.capital,
        commission_per_share=wanted.commission,
        slippage_bps=wanted.slippage,
        allow_short=wanted.allow_short,
    )
    result = run(spec, lambda progress: None, IdFactory(clock).ulid(), clock.now())
    _print(result)
    if wanted.report is not None:
        path = WRITERS[wanted.report.suffix.lower()](result, wanted.report)
        typer.echo(f"report: {path}")


def _print(result: BacktestResult) -> None:
    typer.echo(f"{result.title}: {len(result.timestamps):,} bars")
    for name, value in result.metrics.items():
        text = f"{value:.2%}" if name in SHARES else f"{value:,.2f}"
        typer.echo(f"  {name.replace('_', ' '):18} {text:>16}")
    for warning in result.warnings:
        typer.echo(f"  ! {warning}")


def _timeframe(text: str | None) -> Timeframe | None:
    if text is None:
        return None
    try:
        return Timeframe(text)
    except ValueError:
        raise ConfigurationError(f"There is no timeframe {text}.", f"There are {', '.join(Timeframe)}.") from None
