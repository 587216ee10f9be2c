"""The sources that the configuration names, made for a feed, in the order in which they stand in for each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from engine.market.rest import MarketRest
from engine.market.sources.alpaca import AlpacaStream
from engine.market.sources.base import Source
from engine.market.sources.polling import RestPolling
from engine.market.venue import VenueData
from engine.streams.address import KafkaAddress, RedisAddress

Kind = Literal["alpaca", "rest", "redis", "kafka", "parquet"]
MakeSources = Callable[[bool], Sequence[Source]]
"""For stocks (False) or for crypto."""


class SourceChoice(msgspec.Struct, frozen=True, kw_only=True):
    """`redis` and `kafka` are there when one of `kinds` needs them."""

    kinds: tuple[Kind, ...] = ("alpaca", "rest")
    topic: str = ""
    """Redis stream or Kafka topic that carries frames."""
    redis: RedisAddress | None = None
    kafka: KafkaAddress | None = None
    recording: str = ""
    """Folder that parquet, which stands alone, plays; empty where there is none."""
    speed: float = 1.0


class VenueAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Where a venue's market data is, and who we are there."""

    data_url: str
    trading_url: str
    stocks: str
    """Its data stream of stocks, and that of crypto."""
    crypto: str
    key: str
    secret: str
    feed: str


def open_sources(
    choice: SourceChoice, venue: VenueAccess, now: Callable[[], int], tell_time: Callable[[int], None]
) -> tuple[VenueData, MakeSources]:
    """What is asked for the time and the past, and what makes the sources. Raises DataError for a folder without trades.

    `now` gives the venue's time, 0 while it is not known; `tell_time` takes that of a recording.
    """
    if choice.recording:
        return _recorded(choice, tell_time)
    rest = MarketRest(venue.data_url, venue.trading_url, venue.key, venue.secret, venue.feed)

    def make_sources(crypto: bool) -> list[Source]:
        return [_source(kind, crypto, choice, venue, rest, now) for kind in choice.kinds]

    return rest, make_sources


def _recorded(choice: SourceChoice, tell_time: Callable[[int], None]) -> tuple[VenueData, MakeSources]:
    # Imported here, as Redis and Kafka below, because most installations need none of them.
    from engine.market.recording import Recording, recorded_files
    from engine.market.sources.replay import ParquetReplay

    files = recorded_files(Path(choice.recording))
    replay = ParquetReplay("recording", files, choice.speed, tell_time)
    return Recording(files, replay), lambda crypto: [replay]


def _source(
    kind: Kind, crypto: bool, choice: SourceChoice, venue: VenueAccess, rest: MarketRest, now: Callable[[], int]
) -> Source:
    name = "crypto stream" if crypto else f"{venue.feed} stream"
    shared = f"{choice.topic} (crypto)" if crypto else choice.topic
    match kind:
        case "redis":
            from engine.market.sources.redis_stream import RedisStreamSource

            assert choice.redis is not None
            return RedisStreamSource(f"{shared} on Redis", choice.redis, choice.topic)
        case "kafka":
            from engine.market.sources.kafka_topic import KafkaTopicSource

            assert choice.kafka is not None
            return KafkaTopicSource(f"{shared} on Kafka", choice.kafka, choice.topic)
        case "rest":
            return RestPolling(f"{name} by REST", rest, now)
        case _:
            return AlpacaStream(name, venue.crypto if crypto else venue.stocks, venue.key, venue.secret)
