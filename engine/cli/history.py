"""`paddock history download`, `verify` and `compact`: the lake from the command line."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import typer

from engine.clock import SystemClock
from engine.config.alpaca import Environment
from engine.config.names import SYMBOL
from engine.config.settings import Settings
from engine.domain.errors import ConfigurationError, DataError, PaddockError, UnavailableError
from engine.domain.market import NANOSECONDS, Timeframe
from engine.domain.spans import Span
from engine.installation import Installation, folder_name
from engine.market.history.chunks import ChunkCache
from engine.market.history.ranges import BarHistory
from engine.market.history.sources import BrokerSource, LakeSource
from engine.market.rest import MarketRest
from engine.orchestrator.plan import alpaca_address, lake_address
from engine.storage.lake.address import open_lake
from engine.storage.lake.lake import Lake

STEP = timedelta(days=31)
"""Read and written at once: what is done stays done when somebody stops it."""


def run_download(settings: Settings, symbols: list[str], timeframe: Timeframe, start: str, end: str) -> None:
    """Raises ConfigurationError for what cannot be asked, and what the broker or the lake raise."""
    if settings.environment is Environment.DEMO:
        raise ConfigurationError(
            "The demo's prices are made up; there is nothing to download.", "Name the account: --paper or --live."
        )
    if timeframe is Timeframe.SECOND_1:
        raise ConfigurationError("Alpaca has no bars of one second.", "Choose 1m or longer.")
    for symbol in symbols:
        if not re.match(SYMBOL, symbol):
            raise ConfigurationError(f"{symbol!r} is no symbol.", "Write them as SPY,IBM,BTC/USD.")
    today = datetime.fromtimestamp(SystemClock().now() // NANOSECONDS, UTC).date()
    first, last = _day(start, "start"), min(_day(end, "end") if end else today, today)
    if first > last:
        raise ConfigurationError(f"The start {first} is after the end {last}.", "Choose an earlier start.")
    asyncio.run(_download(settings, symbols, timeframe, first, last))


def run_verify(settings: Settings) -> None:
    """Raises DataError when a file is not good."""
    files = rows = bad = 0
    for found in _lake(settings).verify():
        files, rows = files + 1, rows + found.rows
        if found.problem:
            bad += 1
            typer.echo(f"{found.place}: {found.problem}")
    if bad:
        raise DataError(
            f"{bad} of {files} files are not good.",
            "Bars of damaged files are read again by `paddock history download`; delete what was put aside.",
        )
    typer.echo(f"{files:,} files with {rows:,} bars: all good")


def run_compact(settings: Settings) -> None:
    months = files = 0
    for found in _lake(settings).compact(SystemClock().now()):
        months, files = months + 1, files + found.files
        typer.echo(f"{found.place}: {found.rows:,} bars of {found.files} files")
    typer.echo(f"{files:,} files became {months:,}" if months else "There is nothing to compact.")


async def _download(settings: Settings, symbols: list[str], timeframe: Timeframe, first: date, last: date) -> None:
    address, feed = alpaca_address(settings), settings.alpaca.feed
    rest = MarketRest(address.data_url, address.trading_url, address.key, address.secret, feed)
    lake = LakeSource(_lake(settings))
    # What cannot be written must be told at once here, and is not merely a slower next time as for the feed.
    history = BarHistory(ChunkCache(SystemClock(), feed), [lake, BrokerSource(rest)], [lake], strict=True)
    try:
        now, _ = await rest.market_time()
        for symbol in symbols:
            if not await rest.knows(symbol):
                raise ConfigurationError(f"The broker does not know {symbol}.", "Correct its name.")
            await _download_one(history, symbol, timeframe, list(_steps(first, last)), now)
    except PaddockError as error:
        kept = "What was read is kept; the same command goes on from there."
        raise type(error)(error.message, f"{error.remedy} {kept}".strip()) from None
    finally:
        await rest.close()


async def _download_one(history: BarHistory, symbol: str, timeframe: Timeframe, steps: list[Span], now: int) -> None:
    total, had = 0, 0
    for number, span in enumerate(steps, 1):
        found = await history.get_bars(symbol, timeframe, span.start, span.end, now)
        if found.missing:
            raise UnavailableError(f"Bars of {symbol} cannot be read: {'; '.join(found.problems)}", "Try again later.")
        ours = [stamp.span for stamp in found.stamps if stamp.source != "broker"]
        total += len(found.bars)
        had += sum(any(part.start <= bar.timestamp < part.end for part in ours) for bar in found.bars)
        _progress(f"{symbol} {timeframe}: {number} of {len(steps)} months, {total:,} bars", end=number == len(steps))
    typer.echo(f"{symbol} {timeframe}: {total:,} bars, {total - had:,} from the broker, {had:,} were in the lake")


def _progress(text: str, *, end: bool) -> None:
    """One line that writes over itself, where a person looks on."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K" + ("" if end else text))
        sys.stderr.flush()


def _steps(first: date, last: date) -> Iterator[Span]:
    while first <= last:
        after = min(first + STEP, last + timedelta(days=1))
        yield Span(_nanoseconds(first), _nanoseconds(after))
        first = after


def _lake(settings: Settings) -> Lake:
    installation = Installation(settings.data, folder_name(settings))
    return open_lake(lake_address(settings, installation), settings.alpaca.feed)


def _day(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"The {name} {text!r} is not a date.", "Write it as 2024-12-31.") from None


def _nanoseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * NANOSECONDS
