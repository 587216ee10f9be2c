"""The pauses between attempts to connect: longer each time, with jitter, so that many clients do not come at once."""

from __future__ import annotations

import random

FIRST_PAUSE = 0.25
LONGEST_PAUSE = 15.0


class Pauses:
    """Seconds. `seed` makes the jitter repeatable."""

    def __init__(self, seed: int | None = None) -> None:
        self._chance = random.Random(seed)
        self._next = FIRST_PAUSE

    def after(self, lasted: float) -> float:
        """The pause after a connection that lasted so long; one that worked for a while begins the count anew."""
        if lasted > LONGEST_PAUSE:
            self._next = FIRST_PAUSE
        pause, self._next = self._next, min(self._next * 2, LONGEST_PAUSE)
        return pause * (0.5 + self._chance.random())
