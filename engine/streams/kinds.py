"""What is promised for each topic: kept until it arrived, a stream that may lose, or only the latest value."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache

from engine.streams import messages


class Kind(Enum):
    KEPT = "kept"
    """Sent again after an interruption, let in once by the reader: what people's money follows from."""
    STREAM = "stream"
    """Waits in a bounded buffer during an interruption; the oldest are dropped and counted."""
    LATEST = "latest"
    """A newer value makes the older worthless."""


_KEPT = (messages.SIGNALS, messages.WATCH)
# History is asked for again by whoever needs it, so neither requests nor replies are kept.
_LATEST = (messages.QUOTES, messages.FEED_STATUS, messages.BOT_STATUS)


@lru_cache(1024)
def kind_of(topic: str) -> Kind:
    if topic.startswith(_KEPT):
        return Kind.KEPT
    return Kind.LATEST if topic.startswith(_LATEST) else Kind.STREAM


@lru_cache(1024)
def family(topic: str) -> str:
    """The part before the first full stop: shared transports have one stream for each family.

    >>> family("candles.1m")
    'candles'
    """
    return topic.partition(".")[0]


@lru_cache(1024)
def is_kept(topic: str) -> bool:
    return topic.startswith(_KEPT)
