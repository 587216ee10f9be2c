"""Keeps the engine's own tasks going: one that ends is started again after a pause, until its component is given up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from engine.domain.errors import ConfigurationError, CredentialsError, PaddockError
from engine.orchestrator.components import Components

log = logging.getLogger(__name__)

HOPELESS = (ConfigurationError, CredentialsError)
"""Another attempt would fail alike; a person must act."""

Work = Callable[[], Coroutine[Any, Any, None]]


class Keeper:
    def __init__(self, components: Components, on_error: Callable[[PaddockError], None]) -> None:
        """`on_error` is told what a task that runs once could not do."""
        self._components = components
        self._on_error = on_error
        self._tasks: set[asyncio.Task[None]] = set()

    def keep(self, name: str, work: Work, *, counts: bool = True) -> None:
        """`work` runs until it is cancelled. With `counts` false it says itself when its component is well."""
        self._add(self._again(name, work, counts), name)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Once."""
        self._add(self._once(work, name), name)

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _again(self, name: str, work: Work, counts: bool) -> None:
        while True:
            if counts:
                self._components.running(name)
            reason = "it ended by itself"
            try:
                await work()
            except HOPELESS as error:
                self._on_error(error)
                self._components.give_up(name, error.message)
                return
            except PaddockError as error:
                reason = error.message
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                log.exception("%s failed", name)
            pause = self._components.failed(name, reason)
            if pause is None:
                return
            await asyncio.sleep(pause)

    async def _once(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        try:
            await work
        except PaddockError as error:
            self._on_error(error)
        except Exception:
            log.exception("%s ended by an error nobody expected", name)

    def _add(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
