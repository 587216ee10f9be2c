"""How messages travel: the Transport protocol that the embedded hub, and later Redis and Kafka, keep."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec

from engine.streams.messages import Message


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """A message on the wire. `sequence` counts from 1 per sender and topic, so a reader can count what it missed."""

    sender: str
    sequence: int
    sent_at: int
    """Wall time, int nanoseconds UTC."""
    message: Message


class Delivery(msgspec.Struct, frozen=True, gc=False):
    topic: str
    sender: str
    sent_at: int
    message: Message


class Subscription(Protocol):
    """Batches of deliveries, in the order in which each sender sent them."""

    gaps: int
    """Messages that were sent and never came, by their sequence numbers."""
    dropped: int
    """Messages discarded here because the reader fell behind its bounded queue."""
    invalid: int
    """Frames that could not be decoded."""

    def __aiter__(self) -> AsyncIterator[list[Delivery]]: ...

    async def close(self) -> None: ...


class Transport(Protocol):
    async def start(self) -> None:
        """Connect; returns when publishing and subscribing work or raises UnavailableError."""
        ...

    def publish(self, topic: str, message: Message) -> None:
        """Send without waiting; when the bounded buffer is full the message is dropped and counted in `dropped`."""
        ...

    def subscribe(self, topics: Sequence[str]) -> Subscription:
        """Everything whose topic starts with one of `topics`."""
        ...

    @property
    def dropped(self) -> int: ...

    async def close(self) -> None: ...
