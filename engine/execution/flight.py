"""The flight recorder: what happened to each order and when, from the signal behind it to its last fill."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from engine.clock import Clock
from engine.control import Hop, Verdict

KEPT = 2_000
"""Orders, and causes, of which the chain is kept; the oldest leave first."""


class FlightRecorder:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._causes: OrderedDict[str, Hop] = OrderedDict()
        self._flights: OrderedDict[str, list[Hop]] = OrderedDict()

    def cause(self, cause_id: str, detail: str) -> None:
        """Something arrived that may lead to orders, such as a bot's signal."""
        self._causes[cause_id] = self._hop("signal", detail)
        _shorten(self._causes)

    def begin(self, client_order_id: str, cause_id: str, verdict: Verdict) -> None:
        """An order was made and held against the rules."""
        said = "allowed" if verdict.allowed else f"blocked by {verdict.rule}: {verdict.message}"
        seen = ", ".join(f"{name} {value}" for name, value in verdict.values.items())
        cause = self._causes.get(cause_id)
        self._flights[client_order_id] = [*([cause] if cause else []), self._hop("verdict", f"{said} ({seen})")]
        _shorten(self._flights)

    def note(self, client_order_id: str, name: str, detail: str = "") -> None:
        """One more step of an order whose beginning was seen."""
        flight = self._flights.get(client_order_id)
        if flight is not None:
            flight.append(self._hop(name, detail))

    def of(self, client_order_id: str) -> list[Hop]:
        """In order of time; empty for an order of an earlier run."""
        return list(self._flights.get(client_order_id, ()))

    def _hop(self, name: str, detail: str) -> Hop:
        return Hop(name=name, at=self._clock.now(), monotonic=self._clock.monotonic(), detail=detail)


def _shorten(kept: OrderedDict[str, Any]) -> None:
    while len(kept) > KEPT:
        kept.popitem(last=False)
