"""How messages travel: the protocols that the hub's transports and the carriers beneath them keep.

A *transport* is what a process speaks to: it numbers messages, keeps those with a guarantee, and chooses the way. A
*carrier* is one way: embedded ZeroMQ, Redis or Kafka. Both deliver each sender's messages in the order of sending.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol

import msgspec

from engine.streams.messages import Message

Frame = tuple[str, bytes]
"""Topic and encoded envelope."""
Token = Any
"""What a carrier needs to acknowledge the frames that came with it."""
Take = Callable[[Sequence[Frame], "Token | None", "Receiver"], None]
"""Called from a reader's thread with what arrived."""
HasRoom = Callable[[], bool]


class Delivery(msgspec.Struct, frozen=True, gc=False):
    topic: str
    sender: str
    sent_at: int
    message: Message


class Subscription(Protocol):
    """Batches of deliveries, in the order in which each sender sent them."""

    @property
    def gaps(self) -> int:
        """Messages that were sent and never came, by their sequence numbers."""
        ...

    @property
    def duplicates(self) -> int:
        """Messages that came again and were left out."""
        ...

    @property
    def dropped(self) -> int:
        """Messages discarded here because the reader fell behind its bounded queue."""
        ...

    @property
    def invalid(self) -> int:
        """Frames that could not be decoded."""
        ...

    @property
    def refused(self) -> int:
        """Frames on a shared transport that were not sealed with a key we hold, or were tampered with."""
        ...

    def __aiter__(self) -> AsyncIterator[list[Delivery]]: ...

    async def ack(self) -> None:
        """All that the iterator gave so far has been processed; what a dead reader of a group did not acknowledge goes
        to another. Without a group there is nothing to acknowledge."""
        ...

    async def close(self) -> None: ...


class Transport(Protocol):
    async def start(self) -> None:
        """Connect; returns when messages pass, or at once when nobody listens yet: it connects by itself later."""
        ...

    def publish(self, topic: str, message: Message) -> None:
        """Send without waiting; when the bounded buffer is full a message is dropped and counted in `dropped`."""
        ...

    def subscribe(self, topics: Sequence[str], group: str | None = None) -> Subscription:
        """Everything whose topic starts with one of `topics`; the readers of one `group` share it among them."""
        ...

    @property
    def dropped(self) -> int: ...

    async def close(self) -> None: ...


class Receiver(Protocol):
    """One subscription on one carrier."""

    async def ack(self, tokens: Sequence[Token]) -> None: ...

    async def close(self) -> None: ...


class Carrier(Protocol):
    """One way to travel. `send` belongs to one thread; `take` is called from the carrier's own."""

    name: str
    is_shared: bool
    """Whether others than our own processes may read and write there, so that envelopes are sealed."""
    is_up: bool
    connections: int
    """Grows with each connection; what was sent over the one before may be lost."""
    reason: str
    """Why it is not up, in words, and what to do: `remedy`."""
    remedy: str

    @property
    def dropped(self) -> int: ...

    async def start(self) -> None: ...

    def send(self, topic: str, frame: bytes) -> None: ...

    def take_unsent(self) -> list[Frame]:
        """What it was given and knows that it did not send, once."""
        ...

    def poll(self) -> None:
        """Called often by the thread that sends."""
        ...

    def receive(self, topics: Sequence[str], group: str | None, take: Take, has_room: HasRoom) -> Receiver: ...

    async def close(self) -> None: ...
