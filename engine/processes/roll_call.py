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

    async def open(self) -> None:
        """Before the first child: the mark has to be on file when there is one. Returns at once when it is."""
        if self._writing is None:
            self.call()
            await self._written()

    async def close(self) -> None:
        """After all children are gone."""
        await self._written()
        self._writing = None
        if self._registry is not None:
            await asyncio.to_thread(self._registry.close)

    async def _written(self) -> None:
        if self._writing is not None:
            await asyncio.shield(self._writing)

    async def _write(self, registry: ChildRegistry) -> None:
        while self._again:
            self._again = False
            try:
                await asyncio.to_thread(registry.write, self._children())
            except OSError as error:
                log.warning("the list of children cannot be written: %s", error)
