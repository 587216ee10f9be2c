"""Twice is once: an order is not asked for again while it is being placed, nor within the second half of a double click.

A button that is disabled meanwhile is not enough: a venue nearby answers between the two clicks of one hand.
"""

from __future__ import annotations

from collections.abc import Hashable
from time import monotonic

PAUSE = 0.6
"""Seconds after a beginning in which the same is not begun again; above the double click time of common desktops."""


class Once:
    """`begin` is true for the first of several; `end` when it has been answered."""

    def __init__(self, pause: float = PAUSE) -> None:
        self.pause = pause
        self._running: set[Hashable] = set()
        self._begun: dict[Hashable, float] = {}

    def begin(self, key: Hashable = "") -> bool:
        if not self.ready(key):
            return False
        now = monotonic()
        self._begun = {one: at for one, at in self._begun.items() if now - at < self.pause}
        self._begun[key] = now
        self._running.add(key)
        return True

    def end(self, key: Hashable = "") -> None:
        self._running.discard(key)

    def ready(self, key: Hashable = "") -> bool:
        begun = self._begun.get(key)
        return key not in self._running and (begun is None or monotonic() - begun >= self.pause)
