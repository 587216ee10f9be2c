"""What one thread gives and another sends: bounded, taken in batches, given back when sending failed."""

from __future__ import annotations

import threading
from collections import deque

from engine.streams.base import Frame

MOST_WAITING = 20_000
MAX_BATCH = 500


class Outbox:
    def __init__(self) -> None:
        self.dropped = 0
        self._frames: deque[Frame] = deque()
        self._in_flight: list[Frame] = []
        self._back: list[Frame] = []
        self._condition = threading.Condition()
        self._closed = False

    def put(self, frame: Frame) -> bool:
        """True when nothing waited before. The oldest are dropped, and counted, beyond the limit."""
        with self._condition:
            was_empty = not self._frames
            self._frames.append(frame)
            if len(self._frames) > MOST_WAITING:
                self._frames.popleft()
                self.dropped += 1
            self._condition.notify()
            return was_empty

    def take(self, seconds: float) -> list[Frame]:
        """What waits, when there is something; nothing after `seconds`, or when it was closed."""
        with self._condition:
            if seconds and not self._frames and not self._closed:
                self._condition.wait(seconds)
            count = min(len(self._frames), MAX_BATCH)
            self._in_flight = [self._frames.popleft() for _ in range(count)]
            return self._in_flight

    def sent(self) -> None:
        self._in_flight = []

    def fail(self) -> None:
        """What was on its way, and what waits, are to be taken back."""
        with self._condition:
            self._back += self._in_flight
            self._back += self._frames
            self._in_flight = []
            self._frames.clear()
            excess = len(self._back) - MOST_WAITING
            if excess > 0:
                del self._back[:excess]
                self.dropped += excess

    def take_back(self, waiting: bool) -> list[Frame]:
        """What could not be sent; with `waiting` also what has not been tried."""
        with self._condition:
            back, self._back = self._back, []
            if waiting:
                back += self._frames
                self._frames.clear()
            return back

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify()
