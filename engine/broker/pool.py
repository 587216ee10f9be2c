"""Several connections of one purpose, so that a request which hangs holds up none that come after it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from engine.broker.session import Requests


class Pool:
    """As a Session. A request goes where the fewest are under way; a further connection is made while all have some."""

    def __init__(self, connect: Callable[[], Requests], most: int) -> None:
        self._connect = connect
        self._most = most
        self._sessions = [connect()]

    @property
    def latencies(self) -> deque[float]:
        """Of the first connection, which makes most of the requests."""
        return self._sessions[0].latencies

    @property
    def busy(self) -> int:
        return sum(session.busy for session in self._sessions)

    async def warm_up(self) -> None:
        await self._sessions[0].warm_up()

    async def request(self, method: str, path: str, data: dict[str, Any] | None = None) -> Any:
        return await self._chosen().request(method, path, data)

    async def close(self) -> None:
        for session in self._sessions:
            await session.close()

    def _chosen(self) -> Requests:
        best = min(self._sessions, key=lambda session: session.busy)
        if best.busy and len(self._sessions) < self._most:
            best = self._connect()
            self._sessions.append(best)
        return best
