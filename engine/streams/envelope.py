"""A message on the wire: who sent it, its number, when, and the message itself, in msgpack."""

from __future__ import annotations

import secrets
from collections import defaultdict

import msgspec

from engine.clock import Clock
from engine.streams.messages import Message


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """`sequence` counts from 1 per sender, run and topic, so a reader can count what it missed and what came twice."""

    sender: str
    run: int
    """Random for each start of the sender, because a sender that was started again counts from 1 again."""
    sequence: int
    sent_at: int
    """Wall time, int nanoseconds UTC."""
    message: Message


class Numbering:
    """Makes the envelopes of one sender."""

    def __init__(self, sender: str, clock: Clock, run: int | None = None) -> None:
        self._sender = sender
        self._clock = clock
        self._run = secrets.randbits(62) if run is None else run
        self._sequence: dict[str, int] = defaultdict(int)
        self._encoder = msgspec.msgpack.Encoder()

    def frame(self, topic: str, message: msgspec.Struct) -> bytes:
        self._sequence[topic] = number = self._sequence[topic] + 1
        return self._encoder.encode((self._sender, self._run, number, self._clock.now(), message))

    def skip(self, topic: str, count: int) -> None:
        """Leave numbers out, as if messages had been lost on the way."""
        self._sequence[topic] += count
