"""How late the event loop answers: the worst of the last seconds is what a person feels as a freeze."""

from __future__ import annotations

import asyncio
from collections import deque

EVERY = 0.1
KEPT = 100


class LagMeter:
    def __init__(self) -> None:
        self._late: deque[float] = deque(maxlen=KEPT)

    async def run(self) -> None:
        """Until cancelled. qasync's timers are coarse, so a few milliseconds are always there."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY
            await asyncio.sleep(EVERY)
            self._late.append(max(loop.time() - due, 0.0) * 1000)

    @property
    def p99(self) -> float:
        """Milliseconds, over the last ten seconds."""
        return sorted(self._late)[int(len(self._late) * 0.99)] if self._late else 0.0
