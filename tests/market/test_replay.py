"""A recording as a source: real days through the whole feed, symbols that come and go, its own pace, what cannot be read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.clock import SystemClock
from engine.config import load_settings
from engine.domain.errors import ConfigurationError, DataError
from engine.domain.market import NANOSECONDS, Bar, Timeframe, Trade
from engine.domain.timestamps import parse_rfc3339
from engine.market.feed import Feed
from engine.market.history.chunks import ChunkCache
from engine.market.history.ranges import BarHistory
from engine.market.hours import Choice, NewYorkDays
from engine.market.recorded import build_candles
from engine.market.recording import Recording, recorded_files
from engine.market.sources.choice import SourceChoice, VenueAccess, open_sources
from engine.market.sources.replay import ParquetReplay
from engine.orchestrator.plan import source_choice
from engine.preflight import checked
from engine.streams.messages import Candles, FeedStatus, Message
from tests.market.tellers import RecordingTeller
from tests.shared_data import FOLDER, needs_shared_data
from tests.virtual_time import run_virtually
from tests.waiting import until

MINUTE = Timeframe.MINUTE_1
NOWHERE = VenueAccess(data_url="", trading_url="", stocks="", crypto="", key="", secret="", feed="iex")


async def played(folder: Path, sessions: Choice, *symbols: str) -> tuple[dict[tuple[str, int], Bar], FeedStatus]:
    """The last revision of each closed minute, and the feed's word at the end."""
    said: list[Message] = []
    choice = SourceChoice(kinds=("parquet",), recording=str(folder), speed=0.0)
    rest, make_sources = open_sources(
        choice, NOWHERE, lambda: feed.market_now(), lambda now: feed.processor.normaliser.tell_time(now)
    )
    clock = SystemClock()
    feed = Feed("feed", "recording", rest, lambda topic, message: said.append(message), clock, make_sources,
                BarHistory(ChunkCache(clock, "x"), []), sessions)  # fmt: skip

    def status() -> FeedStatus:
        feed.flush_status()
        return [message for message in said if isinstance(message, FeedStatus)][-1]

    await feed.watch(dict.fromkeys(symbols, 0))
    await until(lambda: "ended" in status().error, longest=60)
    await feed.refresh_market()
    assert not feed.market_open
    last = status()
    feed.processor.close_before(feed.processor.normaliser.newest + 2 * Timeframe.DAY_1.nanoseconds)
    await feed.close()
    bars = [bar for message in said if isinstance(message, Candles) for bar in message.bars]
    return {(bar.symbol, bar.timestamp): bar for bar in bars if bar.closed and bar.timeframe is MINUTE}, last


@needs_shared_data
async def test_two_real_mornings_through_the_feed_make_the_candles_of_the_direct_path(tmp_path: Path) -> None:
    direct: dict[tuple[str, int], Bar] = {}
    for file in recorded_files(FOLDER):
        if (symbol := file.parent.name) not in ("AIG", "IBM"):
            continue
        rows = pl.read_parquet(file).head(4_000)
        copy = tmp_path / "trades" / symbol / file.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        rows.write_parquet(copy)
        trades = [
            Trade(symbol, price, float(size), at, exchange, (condition,) if condition else (), number)
            for number, (at, price, size, exchange, condition, _) in enumerate(
                rows.with_columns(pl.col("timestamp").cast(pl.Int64)).iter_rows(), 1
            )
        ]
        direct |= build_candles(trades, MINUTE, NewYorkDays())
    found, status = await played(tmp_path, Choice.ALL, "AIG", "IBM")
    assert len(found) > 150
    assert {key: values(bar) for key, bar in found.items()} == {key: values(bar) for key, bar in direct.items()}
    assert "from the future" not in status.refused


async def test_the_sessions_of_its_days_are_those_of_the_calendar(tmp_path: Path) -> None:
    teller = RecordingTeller(tmp_path / "trades")
    opens, closes = (await Recording(recorded_files(tmp_path), teller.source).sessions(0, 0))[1]
    assert (opens, closes) == (parse_rfc3339("2023-11-08T14:30:00Z"), parse_rfc3339("2023-11-08T21:00:00Z"))


def values(bar: Bar) -> tuple[float, ...]:
    return (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trade_count)


async def test_symbols_are_added_and_removed_while_it_plays(tmp_path: Path) -> None:
    replay = RecordingTeller(tmp_path / "trades").source
    replay.symbols = {"SPY"}
    batches = aiter(replay)
    assert (await anext(batches)).fresh
    assert {trade.symbol for trade in (await anext(batches)).trades} == {"SPY"}
    await replay.subscribe(["AAPL"])
    await replay.unsubscribe(["SPY"])
    assert {trade.symbol for trade in (await anext(batches)).trades} == {"AAPL"}
    await batches.aclose()  # type: ignore[attr-defined]


def test_it_keeps_the_pace_of_its_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(work: Callable[[Any], Any], argument: Any) -> Any:
        return work(argument)

    monkeypatch.setattr("asyncio.to_thread", at_once)
    teller = RecordingTeller(tmp_path / "trades")
    replay = ParquetReplay("recording", sorted(tmp_path.rglob("*.parquet")), speed=10.0)

    async def play() -> list[float]:
        loop = asyncio.get_running_loop()
        began, late = loop.time(), []
        async for batch in replay:
            late += [loop.time() - began - (trade.timestamp - first) / NANOSECONDS / 10 for trade in batch.trades]
        return late

    first = teller.printed.trades[0].timestamp
    late = run_virtually(play())
    assert len(late) == len(teller.printed.trades) + 4
    assert min(late) > -0.001 and max(late) < 0.1


async def test_a_file_that_is_no_recording_ends_the_feed_with_what_it_must_be(tmp_path: Path) -> None:
    path = tmp_path / "trades" / "SPY" / "2024-01-02.parquet"
    path.parent.mkdir(parents=True)
    for content in (b"no parquet", None):
        if content is None:
            pl.DataFrame({"price": [1.0]}).write_parquet(path)
        else:
            path.write_bytes(content)
        with pytest.raises(DataError) as error:
            [batch async for batch in ParquetReplay("recording", [path])]
        assert str(path) in error.value.message and "columns" in error.value.remedy
    path.rename(path.with_stem("today"))
    with pytest.raises(DataError, match="not named by its day"):
        recorded_files(tmp_path)
    with pytest.raises(DataError, match="no recorded trades"):
        recorded_files(tmp_path / "elsewhere")


def test_a_user_chooses_a_recording_and_its_symbols_are_watched(tmp_path: Path) -> None:
    RecordingTeller(tmp_path / "days" / "trades")
    (tmp_path / "paddock.toml").write_text(
        f'[market]\nsources = ["parquet"]\nrecording = "{tmp_path}/days"\nspeed = 60'
    )
    settings = checked(load_settings(tmp_path))
    assert sorted(settings.symbols) == ["AAPL", "SPY"]
    choice = source_choice(settings)
    assert (choice.kinds, choice.recording, choice.speed) == (("parquet",), f"{tmp_path}/days", 60.0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('sources = ["parquet"]', "plays recording, a folder"),
        ('sources = ["parquet", "rest"]\nrecording = "/x"', "no other source stands in for the past"),
        ('sources = ["parquet"]\nrecording = "/x"\n[alpaca.paper]\nkey = "k"\nsecret = "s"', "for the demo"),
    ],
)
def test_a_recording_that_would_meet_the_present_is_refused(tmp_path: Path, text: str, words: str) -> None:
    head = 'environment = "paper"\n' if "paper" in text else ""
    (tmp_path / "paddock.toml").write_text(f"{head}[market]\n{text}")
    with pytest.raises(ConfigurationError) as error:
        load_settings(tmp_path)
    assert words in error.value.message
