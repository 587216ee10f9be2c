"""Who tells a source the market: our exchange, a Redis or a Kafka that somebody publishes to, a recording.

Each keeps the tape of all that was printed, so that a test can compare; what is printed while it is down is on the tape
only, as at a venue.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from engine.broker.address import VenueAddress
from engine.domain.market import NANOSECONDS, Trade
from engine.domain.timestamps import format_rfc3339
from engine.exchange.server import ExchangeServer
from engine.market.rest import MarketRest
from engine.market.sources.alpaca import AlpacaStream
from engine.market.sources.base import Source
from engine.market.sources.kafka_topic import KafkaTopicSource
from engine.market.sources.polling import RestPolling
from engine.market.sources.redis_stream import RedisStreamSource
from engine.market.sources.replay import ParquetReplay
from engine.streams.address import KafkaAddress, RedisAddress
from tests.market.conftest import fault
from tests.services import Kafka, Redis
from tests.waiting import until_async

SYMBOLS = ("SPY", "AAPL")
BEGIN = 1_700_000_000 * NANOSECONDS
STEP = NANOSECONDS // 5
GARBAGE = [b"", b"\xc1", b"{", b'"text"', b"[1]", b'[{"T":"t"}]', b'[{"T":"t","S":"SPY","t":"now","p":1,"s":1}]']


class Tape:
    """Prints of both symbols in turn, each with an id and a price of its own."""

    def __init__(self) -> None:
        self.trades: list[Trade] = []
        self._numbers = itertools.count(1)

    def print(self, count: int = 20) -> list[Trade]:
        new = [
            Trade(symbol, 100 + number % 7, number % 90 + 1, BEGIN + number * STEP, "V", ("@",), number, "A")
            for number in itertools.islice(self._numbers, count)
            for symbol in SYMBOLS
        ]
        self.trades += new
        return new


def frame(trades: list[Trade]) -> list[dict[str, Any]]:
    """As Alpaca's socket says it, with times as text."""
    return [
        {"T": "t", "S": trade.symbol, "i": trade.trade_id, "x": trade.exchange, "p": trade.price, "s": trade.size,
         "c": list(trade.conditions), "t": format_rfc3339(trade.timestamp).replace("+00:00", "Z"), "z": trade.tape}
        for trade in trades
    ]  # fmt: skip


def packed(trades: list[Trade]) -> bytes:
    """The same in msgpack, with its own times."""
    rows = [{**row, "t": _stamp(trade)} for row, trade in zip(frame(trades), trades, strict=True)]
    return msgspec.msgpack.encode(rows)


def _stamp(trade: Trade) -> msgspec.msgpack.Ext:
    seconds, nanos = divmod(trade.timestamp, NANOSECONDS)
    return msgspec.msgpack.Ext(-1, (nanos << 34 | seconds).to_bytes(8, "big"))


class Teller:
    """`more` returns when prints were told; while it is down they are only on the tape."""

    source: Source

    async def more(self) -> None:
        raise NotImplementedError

    async def tape(self) -> list[Trade]:
        raise NotImplementedError

    async def kill(self) -> None:
        raise NotImplementedError

    async def back(self) -> None:
        raise NotImplementedError

    async def garbage(self) -> None:
        raise NotImplementedError


class Publisher(Teller):
    """A program that publishes what it prints, in JSON and in msgpack by turns, a frame of a few prints an entry."""

    def __init__(self) -> None:
        self.printed = Tape()
        self.is_up = True

    async def more(self) -> None:
        new = self.printed.print()
        if self.is_up:
            await self.publish([packed(new[:10]), msgspec.json.encode(frame(new[10:])), b"[]"])

    async def tape(self) -> list[Trade]:
        return list(self.printed.trades)

    async def garbage(self) -> None:
        await self.publish(GARBAGE)

    async def publish(self, entries: list[bytes]) -> None:
        raise NotImplementedError


class RedisTeller(Publisher):
    source: RedisStreamSource

    def __init__(self, server: Redis) -> None:
        super().__init__()
        self.server = server
        self.source = RedisStreamSource(
            "redis", RedisAddress(host="127.0.0.1", port=server.port, timeout_s=0.5), "tape", seed=1
        )

    async def publish(self, entries: list[bytes]) -> None:
        from redis.asyncio import Redis as Client

        async with Client(port=self.server.port) as client:
            for entry in entries:
                await client.xadd("tape", {"data": entry})

    async def kill(self) -> None:
        self.is_up = False
        self.server.kill()

    async def back(self) -> None:
        self.server.start()
        self.is_up = True


class KafkaTeller(Publisher):
    source: KafkaTopicSource

    def __init__(self, cluster: Kafka) -> None:
        super().__init__()
        self.cluster = cluster
        self.source = KafkaTopicSource("kafka", self.address, "tape", seed=1)

    @property
    def address(self) -> KafkaAddress:
        return KafkaAddress(servers=self.cluster.bootstrap, timeout_s=0.5)

    async def publish(self, entries: list[bytes]) -> None:
        from aiokafka import AIOKafkaProducer

        async with AIOKafkaProducer(bootstrap_servers=self.cluster.bootstrap) as producer:
            for entry in entries:
                await producer.send_and_wait("tape", entry)

    async def kill(self) -> None:
        self.is_up = False
        self.cluster.kill()

    async def back(self) -> None:
        """The mock of a cluster comes back empty and on another port."""
        self.cluster.start()
        self.source._address = self.address
        self.is_up = True


class ExchangeTeller(Teller):
    """The exchange prints by itself."""

    def __init__(self, server: ExchangeServer, by_rest: bool) -> None:
        self.url = server.url
        venue = VenueAddress.local(server.url, "key", "secret")
        self.rest = MarketRest(venue.data_url, venue.trading_url, venue.key, venue.secret, "iex")
        self._now = 0
        self.source = (
            RestPolling("rest", self.rest, lambda: self._now)
            if by_rest
            else AlpacaStream("alpaca", venue.stock_stream_url, "key", "secret", seed=1)
        )

    async def more(self) -> None:
        count = len(await self.tape())

        async def grew() -> bool:
            return len(await self.tape()) > count + 10

        await until_async(grew)

    async def tape(self) -> list[Trade]:
        self._now, _ = await self.rest.market_time()
        return [
            trade
            for symbol in SYMBOLS
            for trade in await self.rest.newest_trades(symbol, self._now - 600 * NANOSECONDS, 10_000)
        ]

    async def kill(self) -> None:
        await fault(self.url, kind="drop_streams", stream="data")
        await fault(self.url, kind="http_status", status=503, count=3, path="/v2/stocks")

    async def back(self) -> None:
        await fault(self.url, kind="clear")


class RecordingTeller(Teller):
    source: ParquetReplay

    """All is printed before it begins; `garbage` among it from the start."""

    def __init__(self, folder: Path) -> None:
        self.printed = Tape()
        self.printed.print(600)
        for symbol in SYMBOLS:
            path = folder / symbol / "2023-11-14.parquet"
            path.parent.mkdir(parents=True)
            rows = [trade for trade in self.printed.trades if trade.symbol == symbol]
            pl.DataFrame(
                {
                    "timestamp": [row.timestamp for row in rows] + [rows[-1].timestamp] * 2,
                    "price": [float(row.price) for row in rows] + [float("nan"), -1.0],
                    "size": [float(row.size) for row in rows] + [1.0, 1.0],
                    "exchange": "V",
                    "condition": "@",
                }
            ).write_parquet(path)
        self.source = ParquetReplay("recording", sorted(folder.rglob("*.parquet")))

    async def more(self) -> None:
        return

    async def tape(self) -> list[Trade]:
        return list(self.printed.trades)

    async def garbage(self) -> None:
        return
