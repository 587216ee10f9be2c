"""The event loop of every process that has no window: uvloop where there is one, which costs a message of the feed about a
tenth less than asyncio's own, and makes its longest waits shorter.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """As asyncio.run. On Windows, for which there is no uvloop, it is that."""
    if sys.platform == "win32":
        return asyncio.run(main)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
