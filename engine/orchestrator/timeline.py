"""The newest values of something by their times, in order however they come: what is late, or comes again, is put right."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

V = TypeVar("V")

LATE = 200
"""Values above the limit that may wait until they are sorted together."""


class Timeline(Generic[V]):
    """At most `limit` values, the newest; one value for each time, the one that came last.

    Late ones are sorted when they are asked for, or when there are many: history that comes after the newest would else
    be sorted once for each of its values, in the thread that paints the window.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[int, V] = OrderedDict()
        self._newest = 0
        self._sorted = True

    def put(self, at: int, value: V) -> None:
        if at not in self._values:
            self._sorted = self._sorted and (at > self._newest or not self._values)
            self._newest = max(at, self._newest) if self._values else at
        self._values[at] = value
        if len(self._values) > self._limit + LATE * (not self._sorted):
            self._tidy()

    def since(self, after: int) -> list[V]:
        """Those at or after `after`, oldest first."""
        self._tidy()
        wanted: list[V] = []
        for at in reversed(self._values):
            if at < after:
                break
            wanted.append(self._values[at])
        wanted.reverse()
        return wanted

    def _tidy(self) -> None:
        if not self._sorted:
            self._values = OrderedDict(sorted(self._values.items()))
            self._sorted = True
        while len(self._values) > self._limit:
            self._values.popitem(last=False)
