"""What a sender keeps: guaranteed messages, to send them again after an interruption, and what waits during one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec

from engine.streams.base import Frame
from engine.streams.messages import Quotes

KEEP_S = 60.0
"""Seconds for which a guaranteed message that was sent is kept; a signal is not acted on after 30."""
MOST_KEPT = 20_000
MOST_KEPT_BYTES = 64 * 2**20
MOST_HELD = 20_000


class Retained:
    """Guaranteed messages, oldest first. While they cannot be sent only the bounds make it forget, and that is counted."""

    def __init__(self) -> None:
        self.dropped = 0
        self._frames: deque[tuple[float, str, bytes]] = deque()
        self._bytes = 0

    def add(self, now: float, topic: str, frame: bytes) -> None:
        self._frames.append((now, topic, frame))
        self._bytes += len(frame)
        while len(self._frames) > MOST_KEPT or self._bytes > MOST_KEPT_BYTES:
            self._forget_oldest()
            self.dropped += 1

    def forget(self, before: float) -> None:
        while self._frames and self._frames[0][0] < before:
            self._forget_oldest()

    def __iter__(self) -> Iterator[Frame]:
        return ((topic, frame) for _, topic, frame in self._frames)

    def __len__(self) -> int:
        return len(self._frames)

    def _forget_oldest(self) -> None:
        self._bytes -= len(self._frames.popleft()[2])


class Held:
    """What has no guarantee and waits: streams in order, the oldest dropped; of the latest values the last of each."""

    def __init__(self) -> None:
        self.dropped = 0
        self._stream: deque[Frame] = deque()
        self._latest: dict[str, msgspec.Struct] = {}

    def add(self, topic: str, frame: bytes) -> None:
        self._stream.append((topic, frame))
        if len(self._stream) > MOST_HELD:
            self._stream.popleft()
            self.dropped += 1

    def add_latest(self, topic: str, message: msgspec.Struct) -> None:
        """Not numbered yet, so that what a newer value replaces is no gap."""
        before = self._latest.get(topic)
        if isinstance(before, Quotes) and isinstance(message, Quotes):
            last = {quote.symbol: quote for quote in (*before.quotes, *message.quotes)}
            message = Quotes(list(last.values()))
        self._latest[topic] = message

    def drain(self) -> list[Frame]:
        frames = list(self._stream)
        self._stream.clear()
        return frames

    def drain_latest(self) -> list[tuple[str, msgspec.Struct]]:
        latest, self._latest = self._latest, {}
        return list(latest.items())

    def __len__(self) -> int:
        return len(self._stream) + len(self._latest)
