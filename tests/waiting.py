"""Wait for what other tasks or processes bring about; the one place where tests poll."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

LONGEST = 15.0


async def until(condition: Callable[[], Any], longest: float = LONGEST) -> Any:
    """What the condition gives once it is true. Raises TimeoutError."""
    async with asyncio.timeout(longest):
        while not (found := condition()):  # noqa: ASYNC110  the condition has no event to wait for
            await asyncio.sleep(0.005)
    return found


async def until_async(condition: Callable[[], Awaitable[Any]], longest: float = LONGEST) -> Any:
    async with asyncio.timeout(longest):
        while not (found := await condition()):  # noqa: ASYNC110  as above
            await asyncio.sleep(0.01)
    return found
