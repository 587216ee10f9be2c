"""`paddock backtest`: run, print the figures beside buy and hold, write the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from engine.backtest.figures import compared
from engine.backtest.report import write_csv, write_html
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
    _check_report(wanted.report)
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


def _check_report(path: Path | None) -> None:
    if path is None:
        return
    if path.suffix.lower() not in WRITERS:
        raise ConfigurationError(f"{path.name} is neither .html nor .csv.", "Name the report FILE.html or FILE.csv.")
    if not path.absolute().parent.is_dir():
        raise ConfigurationError(f"There is no folder {path.absolute().parent}.", "Make it, or choose another.")


def _print(result: BacktestResult) -> None:
    typer.echo(f"{result.title}: {len(result.timestamps):,} bars")
    typer.echo(f"  {'':14} {'strategy':>16} {'buy and hold':>16}")
    for figure in compared(result):
        typer.echo(f"  {figure.name:14} {figure.value:>16} {figure.benchmark:>16}".rstrip())
    for warning in result.warnings:
        typer.echo(f"  ! {warning}")


def _timeframe(text: str | None) -> Timeframe | None:
    if text is None:
        return None
    try:
        return Timeframe(text)
    except ValueError:
        raise ConfigurationError(f"There is no timeframe {text}.", f"There are {', '.join(Timeframe)}.") from None
