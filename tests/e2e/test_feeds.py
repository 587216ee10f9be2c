"""Feed workers are added and taken away under a real engine: every second that traded is said, and none of them twice."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from engine.domain.errors import ConfigurationError
from engine.domain.market import NANOSECONDS, Timeframe, is_crypto
from engine.market.hours import RoundTheClock
from engine.market.recorded import build_candles
from engine.market.rest import MarketRest
from engine.orchestrator.engine import TradingEngine
from engine.streams.messages import CANDLES, Candles
from tests.e2e.test_engine import LONGEST, running
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

SPEED = 5.0
"""Of the exchange's tape: an old feed goes on for five seconds of it."""
Seconds = Counter[tuple[str, int]]


def feeds(engine: TradingEngine) -> list[str]:
    return [row.name for row in engine.views.processes if row.kind == "feed" and row.state == "RUNNING"]


async def listen(engine: TradingEngine, found: Seconds) -> None:
    """Count the closed bars of a second, the first time each is said by a feed."""
    async for batch in engine._parts.transport.subscribe([CANDLES + Timeframe.SECOND_1.value]):
        for delivery in batch:
            assert isinstance(delivery.message, Candles)
            for bar in delivery.message.bars:
                if bar.closed and bar.revision == 0:
                    found[bar.symbol, bar.timestamp // NANOSECONDS] += 1


def newest(found: Seconds, symbol: str) -> int:
    return max((second for named, second in found if named == symbol), default=0)


async def traded(engine: TradingEngine, first: int, last: int) -> set[tuple[str, int]]:
    """The seconds of stocks in which the exchange's own tape has a bar, by the feed's own builder."""
    address = engine._parts.venue.address
    rest = MarketRest(address.data_url, address.trading_url, address.key, address.secret, "iex")
    stocks = [symbol for symbol in engine._parts.settings.symbols if not is_crypto(symbol)]
    try:
        tapes = [await rest.newest_trades(symbol, first * NANOSECONDS, 10_000) for symbol in stocks]
    finally:
        await rest.close()
    prints = sorted((trade for tape in tapes for trade in tape), key=lambda trade: trade.timestamp)
    bars = build_candles(prints, Timeframe.SECOND_1, RoundTheClock())
    return {(symbol, at // NANOSECONDS) for symbol, at in bars if at // NANOSECONDS < last}


async def test_symbols_move_between_feeds_and_no_second_is_lost_or_said_twice(tmp_path: Path) -> None:
    """Between processes; that each print counts once under load: tests/orchestrator/test_feeds_under_load.py."""
    alone = {
        "bots": [{"name": "off", "strategy": "sma-cross", "symbols": ["SPY"], "enabled": False}],
        "processes": {"recorder": {"autostart": False}},
    }
    async with running(tmp_path, exchange={"speed": SPEED}, **alone) as engine:
        with pytest.raises(ConfigurationError, match="11 workers"):
            engine.scale_feeds(11)
        found: Seconds = Counter()
        listening = asyncio.create_task(listen(engine, found))
        await until(lambda: found, LONGEST)
        first = max(second for _, second in found) + 2
        engine.scale_feeds(2)
        await until(lambda: len(engine.views.scaling) == 1, 60)
        assert feeds(engine) == ["feed", "feed-2"]
        held = {name: engine._parts.feeds.symbols_of(name) for name in feeds(engine)}
        assert sorted(symbol for own in held.values() for symbol in own) == sorted(engine._parts.settings.symbols)
        assert all(held.values())
        await one_is_stopped_and_started_by_hand(engine, found, held)
        engine.scale_feeds(1)
        await until(lambda: len(engine.views.scaling) == 4, 60)
        await until(lambda: feeds(engine) == ["feed"], LONGEST)
        await the_only_one_is_killed(engine, found)
        back = max(second for _, second in found)
        # Each symbol: a feed that is reading what it missed says nothing meanwhile, and another may be ahead of it.
        await until(lambda: all(newest(found, symbol) > back + 2 for symbol in engine._parts.settings.symbols), LONGEST)
        listening.cancel()
        expected = await traded(engine, first, back)
        said = {key: count for key, count in found.items() if first <= key[1] < back and not is_crypto(key[0])}
        assert [key for key, count in said.items() if count > 1] == []
        assert expected - set(said) == set()
        by_hand = ["feed was stopped by a person", "feed was started by a person"]
        assert [row.reason for row in engine.views.scaling] == ["chosen by a person", *by_hand, "chosen by a person"]


async def the_only_one_is_killed(engine: TradingEngine, found: Seconds) -> None:
    """And starts again, some seconds of the tape later."""
    row = engine.views.processes.get("feed")
    assert row is not None and row.pid
    os.kill(row.pid, signal.SIGKILL)
    gone, killed = max(second for _, second in found), row.pid
    await until(lambda: (row := engine.views.processes.get("feed")) and row.pid not in (0, None, killed), LONGEST)
    await until(lambda: all(newest(found, symbol) > gone for symbol in engine._parts.settings.symbols), LONGEST)


async def one_is_stopped_and_started_by_hand(engine: TradingEngine, found: Seconds, held: dict[str, list[str]]) -> None:
    """As the window and `paddock stop` do it, and to the one that is there always: its symbols go to the other one, and
    come back to it.
    """
    await engine.stop_processes(["feed"])
    await until(lambda: engine._parts.feeds.symbols_of("feed") == [], LONGEST)
    gone = max(second for _, second in found)
    await until(lambda: all(newest(found, symbol) > gone for symbol in engine._parts.settings.symbols), LONGEST)
    row = engine.views.processes.get("feed")
    assert row is not None and row.state == "STOPPED", "nobody starts it against that person's will"
    await engine.start_processes(["feed"])
    await until(lambda: len(engine.views.scaling) == 3, 60)
    assert {name: set(engine._parts.feeds.symbols_of(name)) for name in held} == {
        name: set(symbols) for name, symbols in held.items()
    }
