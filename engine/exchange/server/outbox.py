"""What waits to be sent to one client: bounded, written by its own task, so that a slow reader delays nobody else."""

from __future__ import annotations

import asyncio
from collections import deque

from aiohttp import WSCloseCode, web

MAX_WAITING = 4 * 1024 * 1024
"""Bytes; a client that lets more than this pile up is too slow."""
CLOSE_WAIT = 2.0


class Outbox:
    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        self.overflowed = False
        self._socket = socket
        self._transport = transport
        self._frames: deque[bytes | str] = deque()
        self._waiting = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._task = asyncio.create_task(self._write())

    @property
    def is_behind(self) -> bool:
        """Whether more than half of what may wait does."""
        return self._waiting > MAX_WAITING // 2

    def put(self, frame: bytes | str) -> bool:
        """Returns False, once, when the client is too slow; nothing is taken from then on."""
        if self._closing:
            return True
        if self._waiting + len(frame) > MAX_WAITING and self._frames:
            self.overflowed = True
            return False
        self._frames.append(frame)
        self._waiting += len(frame)
        self._wake.set()
        return True

    @property
    def waiting(self) -> int:
        """Frames that have not been handed to the socket."""
        return len(self._frames)

    def finish(self, last: bytes | str | None = None) -> None:
        """Send `last` after what is being sent right now, drop the rest, and close the socket."""
        if self._closing:
            return
        self._closing = True
        if self.overflowed:
            self._frames.clear()
        if last is not None:
            self._frames.append(last)
        self._wake.set()
        asyncio.get_running_loop().call_later(CLOSE_WAIT, self._abort)

    async def close(self) -> None:
        """Stop writing; the socket is the caller's to close. A blocked write ends here."""
        self.finish()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _abort(self) -> None:
        """A peer that does not even read the goodbye is cut off."""
        transport = self._transport
        if not self._task.done() and transport is not None:
            transport.abort()

    async def _write(self) -> None:
        while True:
            while self._frames:
                frame = self._frames.popleft()
                self._waiting -= len(frame)
                if not await self._send(frame):
                    return
            if self._closing:
                await self._socket.close(code=WSCloseCode.OK)
                return
            self._wake.clear()
            await self._wake.wait()

    async def _send(self, frame: bytes | str) -> bool:
        try:
            if isinstance(frame, bytes):
                await self._socket.send_bytes(frame)
            else:
                await self._socket.send_str(frame)
        except (ConnectionError, RuntimeError):
            # The peer is gone, or the socket is closing: the reading side notices and cleans up.
            self._closing = True
            return False
        return True
