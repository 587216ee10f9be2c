"""Keep the file of running children up to date, without the event loop waiting for the disk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from engine.processes.registry import ChildRegistry

log = logging.getLogger(__name__)


class RollCall:
    """Has the registry written in a thread after each start of a child; one call at a time, the last one always."""

    def __init__(self, registry: ChildRegistry | None, children: Callable[[], dict[str, int]]) -> None:
        self._registry = registry
        self._children = children
        self._writing: asyncio.Task[None] | None = None
        self._again = False

    def call(self) -> None:
        self._again = True
        if self._registry is not None and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write(self._registry), name="children")

    async def close(self) -> None:
        """After all children are gone."""
        if self._writing is not None:
            await self._writing
        if self._registry is not None:
            await asyncio.to_thread(self._registry.close)

    async def _write(self, registry: ChildRegistry) -> None:
        while self._again:
            self._again = False
            try:
                await asyncio.to_thread(registry.write, self._children())
            except OSError as error:
                log.warning("the list of children cannot be written: %s", error)
