"""The bond between our picture and the venue's: made again at each return of the trade-updates stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from engine.domain.errors import PaddockError
from engine.execution.trading import TradingCore

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 10.0


class VenueLink:
    """While the stream is down nothing that adds risk passes; when it is back, only once everything was compared."""

    def __init__(
        self,
        core: TradingCore,
        stream_is_up: Callable[[], bool],
        on_compared: Callable[[str], None] = lambda failure: None,
    ) -> None:
        """`on_compared` gets what each comparison failed with, nothing when it worked."""
        self._core = core
        self._on_compared = on_compared
        self._stream_is_up = stream_is_up
        self._tasks: set[asyncio.Task[Any]] = set()

    def up(self, reason: str) -> None:
        """The stream listens, or may have missed something: compare."""
        self._core.ready = False
        task = asyncio.create_task(self._reconcile(reason), name="reconcile")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def down(self, reason: str) -> None:
        self._core.ready = False
        log.warning("The trade-updates stream is lost: %s", reason)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _reconcile(self, reason: str) -> None:
        """Until it worked: nothing that adds risk passes before."""
        pause = FIRST_PAUSE
        while True:
            try:
                await self._core.reconcile(reason)
                # The stream may have been lost again meanwhile; its next return compares anew.
                self._core.ready = self._stream_is_up()
                self._on_compared("")
                return
            except PaddockError as error:
                log.warning("Reconciling failed: %s", error.message)
                self._on_compared(error.message)
            except Exception as error:
                # Not to be compared is worse than any error: it is tried again, whatever it was.
                log.exception("Reconciling failed by an error nobody expected")
                self._on_compared(f"{type(error).__name__}: {error}")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
