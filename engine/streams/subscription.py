"""What a process reads: frames from one or two carriers, opened, decoded, each let in once, in batches."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence

import msgspec

from engine.streams.base import Delivery, Frame, Receiver, Token
from engine.streams.envelope import Envelope
from engine.streams.inbox import Inbox, Receipt
from engine.streams.sealing import Seal, SealError
from engine.streams.sequences import Sequences, SharedSequences


class HubSubscription:
    """Async iterator of batches; see `streams.base.Subscription`. Must be created while the event loop runs."""

    def __init__(self, topics: Sequence[str], group: str | None, seal: Seal | None) -> None:
        self.invalid = 0
        self.refused = 0
        self.inbox = Inbox(keeps=group is not None)
        self._topics = tuple(topics)
        self._seal = seal
        self._sequences = Sequences() if group is None else SharedSequences()
        self._decoder = msgspec.msgpack.Decoder(Envelope)
        self._lock = threading.Lock()
        self._handed: list[Receipt] = []
        self._receivers: list[Receiver] = []

    @property
    def gaps(self) -> int:
        return self._sequences.gaps

    @property
    def duplicates(self) -> int:
        return self._sequences.duplicates

    @property
    def dropped(self) -> int:
        return self.inbox.dropped

    def attach(self, receiver: Receiver) -> None:
        self._receivers.append(receiver)

    def take(self, frames: Sequence[Frame], token: Token | None, receiver: Receiver) -> None:
        """From a carrier that only our own processes reach."""
        self._take(frames, None, token, receiver)

    def take_shared(self, frames: Sequence[Frame], token: Token | None, receiver: Receiver) -> None:
        """From a carrier that others reach too."""
        self._take(frames, self._seal, token, receiver)

    async def __aiter__(self) -> AsyncIterator[list[Delivery]]:
        async for batch, receipts in self.inbox.batches():
            self._handed += receipts
            if batch:
                yield batch

    async def ack(self) -> None:
        handed, self._handed = self._handed, []
        by_receiver: dict[int, tuple[Receiver, list[Token]]] = {}
        for receiver, token in handed:
            by_receiver.setdefault(id(receiver), (receiver, []))[1].append(token)
        for receiver, tokens in by_receiver.values():
            await receiver.ack(tokens)

    async def close(self) -> None:
        self.inbox.close()
        receivers, self._receivers = self._receivers, []
        for receiver in receivers:
            await receiver.close()

    def _take(self, frames: Sequence[Frame], seal: Seal | None, token: Token | None, receiver: Receiver) -> None:
        with self._lock:
            batch = [
                delivery
                for topic, frame in frames
                if topic.startswith(self._topics) and (delivery := self._decode(topic, frame, seal)) is not None
            ]
        if batch or token is not None:
            self.inbox.put(batch, None if token is None else (receiver, token))

    def _decode(self, topic: str, frame: bytes, seal: Seal | None) -> Delivery | None:
        try:
            envelope = self._decoder.decode(frame if seal is None else seal.open(topic, frame))
        except SealError:
            self.refused += 1
            return None
        except (msgspec.MsgspecError, ValueError):
            self.invalid += 1
            return None
        if not self._sequences.accept(topic, envelope):
            return None
        return Delivery(topic, envelope.sender, envelope.sent_at, envelope.message)
