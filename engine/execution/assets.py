"""What the venue says may be done with each symbol, asked for once and again after some hours; kept for the rules."""

from __future__ import annotations

import asyncio
import logging

from engine.broker.base import Asset, Broker
from engine.clock import Clock
from engine.domain.errors import PaddockError

log = logging.getLogger(__name__)

REFRESH_AFTER = 6 * 3600.0
"""Seconds; what a symbol allows changes rarely. Older facts still count while they are asked for again."""
ASK_AGAIN_AFTER = 5.0
"""Seconds after the venue did not answer, or did not know the symbol."""
PATIENCE = 2.0
"""Seconds that an order waits for the answer."""


class AssetBook:
    def __init__(self, broker: Broker, clock: Clock) -> None:
        self._broker = broker
        self._clock = clock
        self._known: dict[str, Asset] = {}
        self._asked_at: dict[str, float] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    def get(self, symbol: str) -> Asset | None:
        """None when it is not known (yet); it is then asked for, as it is when what is known has become old."""
        known = self._known.get(symbol)
        wait = ASK_AGAIN_AFTER if known is None else REFRESH_AFTER
        if self._clock.monotonic() - self._asked_at.get(symbol, -REFRESH_AFTER) >= wait:
            self._ask(symbol)
        return known

    async def learn(self, symbol: str) -> Asset | None:
        """As `get`, but waits a little for an answer that is on its way."""
        known = self.get(symbol)
        asking = self._asking.get(symbol)
        if known is None and asking is not None:
            await asyncio.wait({asking}, timeout=PATIENCE)
        return self._known.get(symbol)

    async def close(self) -> None:
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ask(self, symbol: str) -> None:
        self._asked_at[symbol] = self._clock.monotonic()
        task = asyncio.create_task(self._fetch(symbol), name=f"asset-{symbol}")
        self._asking[symbol] = task
        task.add_done_callback(lambda _: self._asking.pop(symbol, None))

    async def _fetch(self, symbol: str) -> None:
        try:
            found = await self._broker.asset(symbol)
        except PaddockError as error:
            log.warning("What may be done with %s could not be asked: %s", symbol, error.message)
            return
        if found is None:
            self._known.pop(symbol, None)
        else:
            self._known[symbol] = found
