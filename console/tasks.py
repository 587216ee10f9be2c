"""Run coroutines from clicks: kept alive, told when they fail, their button off meanwhile so that twice is once."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from PySide6.QtWidgets import QWidget

from engine.domain.errors import PaddockError

Failed = Callable[[str, str, str, str], None]
"""(name, message, remedy, detail)"""


class Tasks:
    def __init__(self, on_error: Failed) -> None:
        self._on_error = on_error
        self._running: set[asyncio.Task[None]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any], name: str, button: QWidget | None = None) -> asyncio.Task[None]:
        """`button` is disabled while the work runs."""
        if button is not None:
            button.setEnabled(False)
        task = asyncio.get_running_loop().create_task(self._guard(work, name, button), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def close(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _guard(self, work: Coroutine[Any, Any, Any], name: str, button: QWidget | None) -> None:
        try:
            await work
        except PaddockError as error:
            self._on_error(name, error.message, error.remedy, "")
        except Exception as error:
            # The last resort for a click: whatever went wrong belongs in the error list, with its traceback.
            self._on_error(name, f"{type(error).__name__}: {error}", "", traceback.format_exc())
        finally:
            if button is not None:
                button.setEnabled(True)
