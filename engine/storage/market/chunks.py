"""Raw messages in chunks: many of one topic in one row, msgpack and zlib, and back again.

A row for each message costs thirty times as much (design/figures.md, Storage).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec

from engine.domain.errors import DataError
from engine.streams.base import Delivery
from engine.streams.messages import Message

LARGEST = 64 * 1024 * 1024
"""Bytes that a chunk may unpack to; a damaged one cannot fill the memory."""


class Recorded(msgspec.Struct, frozen=True, array_like=True):
    """A message as it travelled. `sent_at` is the sender's wall time, int nanoseconds UTC."""

    sender: str
    sent_at: int
    message: Message


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Recorded])


def pack(deliveries: Sequence[Delivery]) -> bytes:
    return zlib.compress(_encoder.encode([Recorded(d.sender, d.sent_at, d.message) for d in deliveries]), 1)


def unpack(body: bytes) -> list[Recorded]:
    """Raises DataError for a chunk that is damaged."""
    try:
        opened = zlib.decompressobj()
        content = opened.decompress(body, LARGEST)
        if not opened.eof:
            raise DataError("A chunk of raw messages is cut off or too large.", "Restore the market database.")
        return _decoder.decode(content)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise DataError(f"A chunk of raw messages is damaged: {error}.", "Restore the market database.") from None
