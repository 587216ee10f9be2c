"""What goes wrong in reporting a trade: a print that is told late, corrected, or cancelled. Rare and seeded."""

from __future__ import annotations

import heapq

import msgspec
import numpy as np

from engine.domain.market import NANOSECONDS, Trade
from engine.exchange.conditions import LATE, is_auction
from engine.exchange.prices.events import Cancellation, Correction, LatePrint, TapeEvent

_DELAY = (65.0, 120.0)
"""Seconds from a late print's time to its telling: its minute is over by then."""
_NOTICED = (5.0, 90.0)
"""Seconds from a print to its correction or cancellation."""
_CORRECTED_CENTS = 3


class Reporting:
    """`chance` is the share of the prints that each of the three happens to."""

    def __init__(self, seed: tuple[int, ...], chance: float) -> None:
        self._random = np.random.default_rng(seed)
        self._chance = chance
        self._coming: list[tuple[int, int, TapeEvent]] = []
        self._number = 0

    def report(self, events: list[TapeEvent], until: int) -> list[TapeEvent]:
        """The events as they are told before `until`: with those of earlier calls that are due, without the late."""
        if not self._chance:
            return events
        draws = self._random.random(len(events)).tolist()
        told = [event for event, draw in zip(events, draws, strict=True) if not self._goes_wrong(event, draw)]
        due: list[TapeEvent] = []
        while self._coming and self._coming[0][0] < until:
            due.append(heapq.heappop(self._coming)[2])
        return [*told, *due]

    def _goes_wrong(self, event: TapeEvent, draw: float) -> bool:
        """Returns whether the event is not to be told now."""
        if draw >= 3 * self._chance or not isinstance(event, Trade):
            return False
        if "/" in event.symbol or is_auction(event.conditions):
            return False
        kind = int(draw / self._chance)
        if kind == 0:
            late = msgspec.structs.replace(event, conditions=(*event.conditions, LATE))
            self._expect(LatePrint(late, event.timestamp + self._wait(_DELAY)))
            return True
        at = event.timestamp + self._wait(_NOTICED)
        self._expect(Correction(event, self._corrected(event), at) if kind == 1 else Cancellation(event, "C", at))
        return False

    def _corrected(self, trade: Trade) -> Trade:
        cents = 1 + int(self._random.random() * _CORRECTED_CENTS)
        price = max(round(trade.price - cents / 100, 2), 0.01)
        return msgspec.structs.replace(trade, price=price)

    def _wait(self, bounds: tuple[float, float]) -> int:
        return round((bounds[0] + (bounds[1] - bounds[0]) * self._random.random()) * NANOSECONDS)

    def _expect(self, event: TapeEvent) -> None:
        self._number += 1
        heapq.heappush(self._coming, (event.timestamp, self._number, event))
