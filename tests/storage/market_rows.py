"""Messages for the market database, and stores of both kinds."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from engine.domain.market import NANOSECONDS, Bar, Timeframe
from engine.storage.market.address import MarketAddress
from engine.storage.market.backlog import Backlog
from engine.streams.base import Delivery
from engine.streams.messages import Candles, FeedStatus, Message, Quotes, QuoteState, Signal, Signals
from tests.services import Postgres

NOW = 1_790_000_000 * NANOSECONDS
MINUTE = 60 * NANOSECONDS


def bar(close: float, at: int = 0, revision: int = 0, symbol: str = "SPY") -> Bar:
    """`at` minutes after NOW's."""
    return Bar(symbol, Timeframe.MINUTE_1, NOW + at * MINUTE, 1, 2, 1, close, 5, 1, 1.5, True, revision)


def quote(at: int = 0, symbol: str = "SPY", last: float = 1.0) -> QuoteState:
    """`at` seconds after NOW."""
    return QuoteState(symbol, last, 2, 3, 4, 5, 6, 7, NOW + at * NANOSECONDS)


def signal(number: int = 1) -> Signal:
    return Signal(
        signal_id=str(number), sleeve="sma", strategy="sma-cross", symbol="SPY", weight=1, confidence=1, price=2,
        as_of=NOW, made_at=NOW + number,
    )  # fmt: skip


STATUS = FeedStatus(feed="feed", source="iex", connected=True, age=0.5, messages=9, message_rate=3.0)


def delivery(message: Message, topic: str = "topic", sent_at: int = NOW) -> Delivery:
    return Delivery(topic, "test", sent_at, message)


def one_of_each() -> dict[str, list[Any]]:
    """A batch with rows of every table that messages fill."""
    backlog = Backlog("test")
    messages: list[Message] = [
        Candles(Timeframe.MINUTE_1, [bar(1.5), bar(1.6, 1)]),
        Quotes([quote(), quote(1)]),
        Signals([signal()]),
        STATUS,
    ]
    backlog.take([delivery(message) for message in messages], NOW)
    return backlog.cut(NOW, last=True)


class Database:
    """A market database of either kind, and what is in it by its server's own tools."""

    def __init__(self, address: MarketAddress, server: Postgres | None = None) -> None:
        self.address = address
        self._server = server

    @classmethod
    def in_file(cls, folder: Path) -> Database:
        return cls(MarketAddress(path=str(folder / "data" / "market.db")))

    @classmethod
    def on_server(cls, server: Postgres) -> Database:
        return cls(MarketAddress(url=server.fresh_database()), server)

    def query(self, statement: str) -> list[str]:
        """The rows of the answer, columns joined by |."""
        if self._server is not None:
            return self._server.query(self.address.url, statement)
        reader = sqlite3.connect(self.address.path)
        try:
            return ["|".join(map(str, row)) for row in reader.execute(statement)]
        finally:
            reader.close()

    def count(self, table: str) -> int:
        return int(self.query(f"SELECT count(*) FROM {table}")[0])
