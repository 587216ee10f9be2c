"""Many messages in one entry of a shared transport, so that its server handles one command for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from engine.domain.errors import ConfigurationError
from engine.streams.base import Frame
from engine.streams.kinds import Kind, family, kind_of
from engine.streams.sealing import Seal

PACK = 64
"""Messages in one entry at most; the readers of a group share entries."""
PACK_BYTES = 64 * 1024


def packs(frames: Sequence[Frame], seal: Seal | None) -> Iterator[tuple[str, bytes]]:
    """Name of the stream, and the entry."""
    encode = msgspec.msgpack.encode
    waiting: dict[str, list[Frame]] = {}
    sizes: dict[str, int] = {}
    for topic, frame in frames:
        name = stream_of(topic)
        if seal is not None:
            frame = seal.seal(topic, frame)
        pack = waiting.setdefault(name, [])
        pack.append((topic, frame))
        size = sizes[name] = sizes.get(name, 0) + len(frame)
        if len(pack) >= PACK or size >= PACK_BYTES:
            yield name, encode(waiting.pop(name))
            sizes[name] = 0
    for name, pack in waiting.items():
        yield name, encode(pack)


def unpack(packed: bytes, topic: str) -> list[Frame]:
    """What is no entry of ours is handed on as an empty frame on `topic`, so that it is counted."""
    try:
        return msgspec.msgpack.decode(packed, type=list[Frame])
    except (msgspec.MsgspecError, ValueError):
        return [(topic, b"")]


def stream_of(topic: str) -> str:
    """Latest values go by their whole topic, all else by its family.

    >>> stream_of("candles.1m"), stream_of("feed.status")
    ('candles', 'feed.status')
    """
    return topic if kind_of(topic) is Kind.LATEST else family(topic)


def complete(topic: str) -> str:
    """A subscription must at least name the family, because streams are by family. Raises ConfigurationError."""
    if not topic:
        raise ConfigurationError("A subscription names its topics.", "Subscribe to signals, candles. or the like.")
    return topic
