"""What the venue shows while positions are closed, and when it is believed that they are gone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from decimal import Decimal

import msgspec

from engine.clock import Clock
from engine.domain.portfolio import ZERO, VenuePosition
from engine.execution.flatten import AGREE


class StillHeld:
    """A list may be seconds behind. Closing leads from what was held to nothing, so after a list with anything else (more
    was bought, or shares were joined while a sale was on its way) one without it is not believed until it must have
    caught up.
    """

    def __init__(
        self, held: Callable[[], Awaitable[Sequence[VenuePosition]]], clock: Clock, before: Iterable[VenuePosition]
    ) -> None:
        self._held = held
        self._clock = clock
        self._before = {position.symbol: position.quantity for position in before}
        self._strange: dict[str, tuple[VenuePosition, float]] = {}

    async def ask(self) -> Sequence[VenuePosition]:
        """As the venue shows them; with a quantity of 0, what it showed a moment ago and may show again. Raises as the
        venue does.
        """
        asked = self._clock.monotonic()
        found = await self._held()
        now = self._clock.monotonic()
        self._strange |= {position.symbol: (position, now) for position in self.strange(found)}
        shown = {position.symbol for position in found}
        unsure = [
            msgspec.structs.replace(position, quantity=ZERO)
            for symbol, (position, at) in self._strange.items()
            if symbol not in shown and asked - at < AGREE
        ]
        return [*found, *unsure]

    def strange(self, positions: Iterable[VenuePosition]) -> list[VenuePosition]:
        """Those to which closing cannot have led."""
        return [one for one in positions if not _between(ZERO, one.quantity, self._before.get(one.symbol, ZERO))]


def _between(one: Decimal, quantity: Decimal, other: Decimal) -> bool:
    return min(one, other) <= quantity <= max(one, other)
