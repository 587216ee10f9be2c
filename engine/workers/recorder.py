"""The recorder: writes what goes over the hub into the market database, in batches, off the event loop."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from pathlib import Path

import msgspec

from engine.domain.market import Bar
from engine.processes.child import Child
from engine.storage.market import MarketDatabase
from engine.streams.address import HubAddress
from engine.streams.base import Delivery
from engine.streams.messages import CANDLES, QUOTES, SIGNALS, Candles, Quotes, QuoteState, Signal, Signals
from engine.streams.transport import open_hub

log = logging.getLogger("recorder")

WRITE_EVERY = 1.0
MOST_WAITING = 200_000
"""Rows that wait for a database that cannot be written; the oldest are dropped beyond it."""


class Settings(msgspec.Struct, kw_only=True):
    hub: HubAddress
    path: str


class Backlog:
    """What waits to be written. Quotes are thinned to the last of each symbol in a batch."""

    def __init__(self) -> None:
        self.bars: list[Bar] = []
        self.quotes: dict[str, QuoteState] = {}
        self.signals: list[Signal] = []
        self.dropped = 0

    def take(self, batch: list[Delivery]) -> None:
        for delivery in batch:
            message = delivery.message
            if isinstance(message, Candles):
                self.bars += [bar for bar in message.bars if bar.closed]
            elif isinstance(message, Quotes):
                self.quotes.update((quote.symbol, quote) for quote in message.quotes)
            elif isinstance(message, Signals):
                self.signals += message.signals
        for rows in (self.bars, self.signals):
            excess = len(rows) - MOST_WAITING
            if excess > 0:
                del rows[:excess]
                self.dropped += excess


async def main(child: Child[Settings]) -> None:
    settings = child.settings
    database = await asyncio.to_thread(MarketDatabase, Path(settings.path))
    transport = open_hub(settings.hub, child.name, child.clock)
    await transport.start()
    backlog = Backlog()
    subscription = transport.subscribe([CANDLES, QUOTES, SIGNALS])
    child.ready(settings.path)

    async def listen() -> None:
        async for batch in subscription:
            backlog.take(batch)

    listening = asyncio.create_task(listen())
    failing = False
    while not child.stopping.is_set():
        await _pause(child.stopping, WRITE_EVERY)
        failing = not await _write(child, database, backlog, failing)
    listening.cancel()
    await transport.close()
    database.close()


async def _write(child: Child[Settings], database: MarketDatabase, backlog: Backlog, failing: bool) -> bool:
    """False when the database cannot be written; the rows stay in the backlog."""
    bars, quotes, signals = backlog.bars, backlog.quotes, backlog.signals
    if not (bars or quotes or signals):
        return not failing
    backlog.bars, backlog.quotes, backlog.signals = [], {}, []
    try:
        child.progress(await asyncio.to_thread(database.write, bars, list(quotes.values()), signals))
    except sqlite3.Error as error:
        backlog.bars[:0], backlog.signals[:0] = bars, signals
        backlog.quotes = quotes | backlog.quotes
        if not failing:
            log.warning(
                "The market database cannot be written: %s.",
                error,
                extra={"remedy": "Free space on the disk; rows wait in memory meanwhile.", "category": "data"},
            )
        return False
    if failing:
        log.warning("The market database can be written again; %d rows were lost.", backlog.dropped)
        backlog.dropped = 0
    return True


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
