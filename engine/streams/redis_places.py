"""Where a subscription reads in Redis: its streams from the moment of subscribing on, and its channels."""

from __future__ import annotations

from collections.abc import Sequence

from engine.clock import Clock
from engine.streams.kinds import Kind, kind_of
from engine.streams.packing import complete, stream_of

BLOCK_MS = 200
COUNT = 500


class Places:
    def __init__(self, prefix: str, topics: Sequence[str], clock: Clock) -> None:
        names = dict.fromkeys(stream_of(complete(topic)) for topic in topics)
        self.channels = [prefix + name for name in names if kind_of(name) is Kind.LATEST]
        self.last = {(prefix + name).encode(): b"" for name in names if kind_of(name) is not Kind.LATEST}
        """Id of the newest entry that was read, by stream."""
        self._clock = clock
        self._began = clock.monotonic()

    def begin(self, seconds: int, micros: int) -> None:
        """Before all entries since the subscription, by the server's own time."""
        beginning = id_before(seconds, micros, self._clock.monotonic() - self._began)
        self.last.update({key: last or beginning for key, last in self.last.items()})


def id_before(seconds: int, micros: int, age: float) -> bytes:
    """The id before all entries of the last `age` seconds; the rest is the server's time."""
    return b"%d-0" % max(0, int(seconds * 1e3 + micros / 1e3 - age * 1e3) - 1)
