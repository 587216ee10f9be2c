"""Trading halts: on demand, or because a price left its band. A halted symbol prints nothing and its quote stands."""

from __future__ import annotations

import msgspec
import numpy as np

from engine.domain.market import NANOSECONDS, Quote, Trade
from engine.exchange.prices.base import Floats
from engine.exchange.prices.events import HALTED, Bands, Status, TapeEvent, halt, resumption

BAND = 0.05
"""Half the width of a band, as for the stocks of tier 1 in regular hours."""
PAUSE = 300
"""Seconds that a pause lasts."""
_MEMORY = 300.0
"""Seconds over which the reference price of a band forgets."""
_STALE = 0.01
"""The bands are announced again when the reference has moved by this share."""


class _Halt(msgspec.Struct):
    start: int
    end: int
    code: str
    is_told: bool = False


class Halts:
    """Between a source and its tape: takes out what a halted symbol would have printed, and announces the halts."""

    def __init__(self) -> None:
        self._halts: dict[str, _Halt] = {}
        self.withheld = 0
        """Prints and quotes that a halt kept back."""

    def halt(self, symbol: str, at: int, seconds: float, code: str = HALTED) -> None:
        """From `at`, which must be after all that was told; a longer halt extends one that is on."""
        end = at + round(seconds * NANOSECONDS)
        known = self._halts.get(symbol)
        if known is None:
            self._halts[symbol] = _Halt(at, end, code)
        else:
            known.start, known.end = min(known.start, at), max(known.end, end)

    def is_halted(self, symbol: str, at: int) -> bool:
        known = self._halts.get(symbol)
        return known is not None and known.start <= at < known.end

    def apply(self, events: list[TapeEvent], until: int) -> list[TapeEvent]:
        """The events up to `until` as they can be told, in order of time."""
        if not self._halts:
            return events
        kept = [e for e in events if not (isinstance(e, Trade | Quote) and self.is_halted(e.symbol, e.timestamp))]
        self.withheld += len(events) - len(kept)
        told = self._announcements(until)
        # Stable: at one instant the announcement comes first.
        return sorted([*told, *kept], key=lambda event: event.timestamp) if told else kept

    def _announcements(self, until: int) -> list[Status]:
        told: list[Status] = []
        for symbol, known in list(self._halts.items()):
            if not known.is_told and known.start <= until:
                known.is_told = True
                told.append(halt(symbol, known.start, known.code))
            if known.end <= until:
                del self._halts[symbol]
                told.append(resumption(symbol, known.end))
        return told


class PriceBands:
    """Limit up, limit down: five percent around the mean of the last minutes. Arrays are over `symbols`."""

    def __init__(self, symbols: tuple[str, ...], banded: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> None:
        self._symbols = symbols
        self._banded = banded
        self._reference: Floats | None = None
        self._announced = np.zeros(len(symbols))

    def pauses(self, mids: Floats) -> list[tuple[int, int]]:
        """(symbol's index, step) of those whose mid leaves its band in `mids`, shape (steps, symbols)."""
        last = mids[-1]
        if self._reference is None:
            self._reference = last.copy()
        outside = (np.abs(mids / self._reference - 1) > BAND) & self._banded
        self._reference += (last - self._reference) / _MEMORY
        struck = np.flatnonzero(outside.any(axis=0))
        # A stock comes out of its pause at its new price, with a new band.
        self._reference[struck] = last[struck]
        return [(int(index), int(outside[:, index].argmax())) for index in struck]

    def announce(self, at: int) -> list[TapeEvent]:
        """The bands of the stocks whose reference has moved since they were told."""
        if self._reference is None:
            return []
        moved = self._banded & (np.abs(self._reference - self._announced) > _STALE * self._announced)
        self._announced[moved] = self._reference[moved]
        return [self._bands(index, at) for index in np.flatnonzero(moved).tolist()]

    def _bands(self, index: int, at: int) -> Bands:
        price = float(self._announced[index])
        return Bands(self._symbols[index], round(price * (1 + BAND), 2), round(price * (1 - BAND), 2), at)
