"""Feed and recorder as child processes on the real hub and the real exchange."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from engine.broker.address import VenueAddress
from engine.clock import SystemClock
from engine.domain.market import Timeframe
from engine.processes.specification import ProcessSpec, RestartPolicy
from engine.processes.states import ProcessState
from engine.processes.supervisor import Supervisor
from engine.streams.address import private_hub_address
from engine.streams.messages import (
    Candles,
    FeedStatus,
    HistoryReply,
    HistoryRequest,
    Indicators,
    Message,
    Quotes,
    RecorderStatus,
    Signals,
    Watch,
)
from engine.streams.transport import HubTransport, open_hub
from engine.tables import Table
from engine.views import ProcessRow
from tests.market.conftest import exchange
from tests.storage.market_rows import signal as a_signal
from tests.waiting import until

LONGEST = 45.0
"""Seconds for a recorder to start twice on a busy machine."""


class House:
    """Supervised children, and an ear on the hub."""

    def __init__(self, folder: Path) -> None:
        self.hub = private_hub_address(folder)
        self.table: Table[ProcessRow] = Table()
        self.supervisor = Supervisor(self.table, SystemClock(), log_folder=None, on_event=lambda event: None, seed=1)
        self.heard: list[Message] = []

    def add(self, kind: str, **settings: Any) -> None:
        self.supervisor.add(
            ProcessSpec(
                name=kind, kind=kind, group="system", settings=lambda: settings, restart=RestartPolicy(first=0.05)
            )
        )

    async def start(self, kind: str, **settings: Any) -> None:
        self.add(kind, **settings)
        await self.supervisor.start([kind])
        await self.supervisor.wait_state(kind, (ProcessState.RUNNING,), 20)

    def last(self, kind: type[Any]) -> Any:
        return next((message for message in reversed(self.heard) if isinstance(message, kind)), None)


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[tuple[House, HubTransport]]:
    found = House(folder / "hub")
    await found.start("hub", hub=found.hub)
    transport = open_hub(found.hub, "test", SystemClock())
    await transport.start()
    subscription = transport.subscribe([""])

    async def listen() -> None:
        async for batch in subscription:
            found.heard += [delivery.message for delivery in batch]

    task = asyncio.create_task(listen())
    try:
        yield found, transport
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await found.supervisor.stop_all()
        await transport.close()


async def test_the_feed_gives_out_the_indicators_of_every_timeframe_once_they_are_warm(tmp_path: Path) -> None:
    async with exchange(speed=60) as venue, house(tmp_path) as (found, _):
        address = VenueAddress.local(venue.url, "key", "secret")
        await found.start("feed", name="feed", hub=found.hub, venue=address, symbols=["SPY", "BTC/USD"])
        await until(
            lambda: (
                {
                    (values.symbol, message.timeframe)
                    for message in found.heard
                    if isinstance(message, Indicators) and message.timeframe in {Timeframe.MINUTE_1, Timeframe.HOUR_1}
                    for values in message.values
                }
                >= {
                    (symbol, timeframe)
                    for symbol in ("SPY", "BTC/USD")
                    for timeframe in (Timeframe.MINUTE_1, Timeframe.HOUR_1)
                }
            ),
            60,
        )


async def test_the_feed_speaks_on_the_hub_and_the_recorder_writes_it_down(tmp_path: Path) -> None:
    path = tmp_path / "data" / "market.db"
    async with exchange(speed=20) as venue, house(tmp_path) as (found, transport):
        await found.start("recorder", hub=found.hub, path=str(path))
        address = VenueAddress.local(venue.url, "key", "secret")
        await found.start("feed", name="feed", hub=found.hub, venue=address, symbols=["SPY"])
        await until(lambda: found.last(Quotes) and found.last(Candles) and found.last(FeedStatus))
        transport.publish(
            "history.request",
            HistoryRequest(requester="me", request_id="7", symbol="SPY", timeframe=Timeframe.SECOND_1, limit=300),
        )
        reply = await until(lambda: found.last(HistoryReply))
        assert (reply.request_id, reply.error, len(reply.bars) > 20) == ("7", "", True)
        transport.publish("watch", Watch(add=["AAPL", "NOSUCH"]))
        await until(lambda: (s := found.last(FeedStatus)).symbols == ["AAPL", "SPY"] and s.unknown_symbols)
        transport.publish("signals", Signals([a_signal()]))
        await until(lambda: count(path, "processing_results") and count(path, "realtime_candles") > 3)
        await until(lambda: all(count(path, name) for name in ("normalized_data", "system_metrics")))
        await until(lambda: (s := found.last(RecorderStatus)) and s.rows > 10 and s.size_bytes and not s.error)
        await found.supervisor.stop(["recorder"])
        assert sqlite_ok(path)
        assert count(path, "stream_messages")


async def test_a_recorder_that_is_killed_comes_back_and_no_signal_is_there_twice(tmp_path: Path) -> None:
    path, sent = tmp_path / "data" / "market.db", 0

    async with house(tmp_path) as (found, transport):
        await found.start("recorder", hub=found.hub, path=str(path))

        def publish_and_look() -> int:
            nonlocal sent
            sent += 1
            transport.publish("signals", Signals([a_signal(sent)]))
            return count(path, "processing_results")

        await until(lambda: (status := found.last(RecorderStatus)) and status.rows, LONGEST)
        before = await until(publish_and_look, LONGEST)
        row = found.table.get("recorder")
        assert row is not None
        os.kill(row.pid, signal.SIGKILL)
        await until(
            lambda: (now := found.table.get("recorder")) and now.restarts == 1 and now.pid not in (0, row.pid), LONGEST
        )
        await until(lambda: publish_and_look() > before, LONGEST)
        await found.supervisor.stop(["recorder"])
    assert sqlite_ok(path)
    assert before < count(path, "processing_results") <= sent


async def test_a_feed_that_is_killed_is_back_with_its_prices(tmp_path: Path) -> None:
    async with exchange(speed=20) as venue, house(tmp_path) as (found, _):
        address = VenueAddress.local(venue.url, "key", "secret")
        await found.start("feed", name="feed", hub=found.hub, venue=address, symbols=["SPY"])
        await until(lambda: found.last(Quotes))
        row = found.table.get("feed")
        assert row is not None
        os.kill(row.pid, signal.SIGKILL)
        await until(lambda: (now := found.table.get("feed")) and now.restarts == 1 and now.pid not in (0, row.pid))
        found.heard.clear()
        await until(lambda: found.last(Quotes) and found.last(Candles))


async def test_an_exchange_that_is_killed_and_started_again_costs_no_restart_of_the_feed(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with house(tmp_path) as (found, _):
        await found.start("exchange", port=port, symbols=["SPY"], speed=20.0, state=str(tmp_path / "state"))
        address = VenueAddress.local(f"http://127.0.0.1:{port}", "key", "secret")
        await found.start("feed", name="feed", hub=found.hub, venue=address, symbols=["SPY"])
        await until(lambda: found.last(Candles))
        row = found.table.get("exchange")
        assert row is not None
        os.kill(row.pid, signal.SIGKILL)
        await until(lambda: (s := found.last(FeedStatus)) and s.reconnects and s.connected)
        found.heard.clear()
        await until(lambda: found.last(Candles) and found.last(Quotes))
        feed = found.table.get("feed")
        assert feed is not None
        assert feed.restarts == 0


async def test_wrong_keys_end_the_feed_for_good_with_its_exit_code(tmp_path: Path) -> None:
    async with exchange(keys={"other": "pair"}) as venue, house(tmp_path) as (found, _):
        address = VenueAddress.local(venue.url, "key", "secret")
        found.add("feed", name="feed", hub=found.hub, venue=address, symbols=["SPY"])
        await found.supervisor.start(["feed"])
        await found.supervisor.wait_state("feed", (ProcessState.FATAL,), 20)
        row = found.table.get("feed")
        assert row is not None
        assert "77" in row.last_exit


def count(path: Path, table: str) -> int:
    reader = sqlite3.connect(path)
    try:
        found: int = reader.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return found
    finally:
        reader.close()


def sqlite_ok(path: Path) -> bool:
    reader = sqlite3.connect(path)
    try:
        return bool(reader.execute("PRAGMA integrity_check").fetchone() == ("ok",))
    finally:
        reader.close()
