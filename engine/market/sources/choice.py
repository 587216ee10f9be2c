"""The sources that the configuration names, made for a feed, in the order in which they stand in for each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from engine.market.rest import MarketRest
from engine.market.sources.alpaca import AlpacaStream
from engine.market.sources.base import Source
from engine.market.sources.polling import RestPolling
from engine.streams.address import KafkaAddress, RedisAddress

Kind = Literal["alpaca", "rest", "redis", "kafka"]


class SourceChoice(msgspec.Struct, frozen=True, kw_only=True):
    """`redis` and `kafka` are there when one of `kinds` needs them."""

    kinds: tuple[Kind, ...] = ("alpaca", "rest")
    topic: str = ""
    """Redis stream or Kafka topic that carries frames."""
    redis: RedisAddress | None = None
    kafka: KafkaAddress | None = None


class DataStreams(msgspec.Struct, frozen=True, kw_only=True):
    """Where the venue's own streams are."""

    stocks: str
    crypto: str
    key: str
    secret: str
    feed: str


def make_source(
    kind: Kind, crypto: bool, choice: SourceChoice, streams: DataStreams, rest: MarketRest, now: Callable[[], int]
) -> Source:
    """`now` gives the venue's time, 0 while it is not known."""
    venue = "crypto stream" if crypto else f"{streams.feed} stream"
    shared = f"{choice.topic} (crypto)" if crypto else choice.topic
    match kind:
        case "redis":
            # Imported here because most installations have neither Redis nor Kafka.
            from engine.market.sources.redis_stream import RedisStreamSource

            assert choice.redis is not None
            return RedisStreamSource(f"{shared} on Redis", choice.redis, choice.topic)
        case "kafka":
            from engine.market.sources.kafka_topic import KafkaTopicSource

            assert choice.kafka is not None
            return KafkaTopicSource(f"{shared} on Kafka", choice.kafka, choice.topic)
        case "rest":
            return RestPolling(f"{venue} by REST", rest, now)
        case "alpaca":
            return AlpacaStream(venue, streams.crypto if crypto else streams.stocks, streams.key, streams.secret)
