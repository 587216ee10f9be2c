"""What was refused: counted by reason, and the newest of each kept to be looked at."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import Any

KEPT = 20
"""Newest refusals kept for each reason."""


class Reason(StrEnum):
    UNREADABLE = "unreadable"
    ABSURD = "not a positive finite number"
    FUTURE = "from the future"
    STALE = "too old"
    CROSSED = "bid above ask"
    DUPLICATE = "told before"
    OUTLIER = "far from every quote and print"
    UNKNOWN_PRINT = "corrects a print that is not known"


class Rejections:
    def __init__(self) -> None:
        self.counts: dict[Reason, int] = dict.fromkeys(Reason, 0)
        self._newest: dict[Reason, deque[Any]] = {reason: deque(maxlen=KEPT) for reason in Reason}

    def add(self, reason: Reason, message: Any) -> None:
        self.counts[reason] += 1
        self._newest[reason].append(message)

    def count(self, reason: Reason, how_many: int) -> None:
        """Those that cannot be kept, because nothing of them could be read."""
        self.counts[reason] += how_many

    def newest(self, reason: Reason) -> list[Any]:
        return list(self._newest[reason])

    @property
    def total(self) -> int:
        """All but duplicates, which are no fault of the data: a reconnect brings them."""
        return sum(self.counts.values()) - self.counts[Reason.DUPLICATE]
