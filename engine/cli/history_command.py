"""`paddock history`: its commands and their options."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.options import Data, Live, Paper, parse_symbols, report_errors, settings_from
from engine.domain.errors import ConfigurationError
from engine.domain.market import Timeframe

history_app = typer.Typer(
    help="Bars of the past: download, check and compact them, build candles.", no_args_is_help=True
)


class Sessions(StrEnum):
    """As in engine.market.hours, which `--help` need not wait for."""

    ALL = "all"
    EXTENDED = "extended"
    REGULAR = "regular"


Frame = Annotated[str, typer.Option("--timeframe", help="1m, 5m, 15m, 1h, 4h or 1d.")]


@history_app.command()
@report_errors
def download(
    symbols: Annotated[str, typer.Argument(help="Such as SPY,IBM,BTC/USD.")],
    start: Annotated[str, typer.Option(help="First day, YYYY-MM-DD.")],
    end: Annotated[str, typer.Option(help="Last day, YYYY-MM-DD; today if not given.")] = "",
    timeframe: Frame = "1m",
    paper: Paper = False,
    live: Live = False,
    data: Data = None,
) -> None:
    """Read bars from the broker into the lake; days that it has are not read again."""
    from engine.cli.history import run_download

    names = parse_symbols(symbols)
    if not names:
        raise ConfigurationError("No symbol is named.", "Write them as SPY,IBM,BTC/USD.")
    run_download(settings_from(paper=paper, live=live, data=data), names, timeframe_named(timeframe), start, end)


@history_app.command()
@report_errors
def verify(paper: Paper = False, live: Live = False, data: Data = None) -> None:
    """Read every file of the lake and tell which is damaged; changes nothing."""
    from engine.cli.history import run_verify

    run_verify(settings_from(paper=paper, live=live, data=data))


@history_app.command()
@report_errors
def compact(paper: Paper = False, live: Live = False, data: Data = None) -> None:
    """Make one file of the days of each month that is over."""
    from engine.cli.history import run_compact

    run_compact(settings_from(paper=paper, live=live, data=data))


@history_app.command()
@report_errors
def candles(
    trades: Annotated[
        list[Path],
        typer.Argument(
            help="Parquet of one symbol: timestamp, price, size; exchange, condition and trade_id if known."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="FILE.parquet to write.")],
    timeframe: Annotated[str, typer.Option("--timeframe", help="1s, 1m, 5m, 15m, 1h, 4h or 1d.")] = "1m",
    sessions: Annotated[
        Sessions, typer.Option(help="regular: 9:30 to 16:00 in New York; extended: 4:00 to 20:00; all: any time.")
    ] = Sessions.EXTENDED,
) -> None:
    """Build candles from recorded trades, by the same rules as live."""
    from engine.cli.candles import run_candles

    run_candles(trades, timeframe_named(timeframe), sessions.value, out)


def timeframe_named(text: str) -> Timeframe:
    """Raises ConfigurationError."""
    try:
        return Timeframe(text)
    except ValueError:
        raise ConfigurationError(f"There is no timeframe {text}.", f"There are {', '.join(Timeframe)}.") from None
