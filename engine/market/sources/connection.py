"""A WebSocket that hands over whole bursts: all frames that one read of the socket brought, with one wake-up.

The connection is that of `websockets`: handshake, pings, closing, fragments. Only the frames that are nearly all of what
comes, whole binary ones, are cut out of the bytes here, because one pass over them by its parser costs more than
everything the feed does with what they hold.
"""

from __future__ import annotations

import asyncio
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import State

WHOLE_BINARY = 0x82
"""First byte of a frame that is final, not compressed, and binary."""
LONG = 126
"""Lengths from this on stand for another length, of two bytes or, the greatest, of eight, that follows."""
MASKED = 128
LONGEST_HEAD = 10
MAX_SIZE = 16 * 1024 * 1024
MAX_HEAD = 64 * 1024
FULL = 64 * 1024
"""Bytes that may wait: then nothing more is read, and the venue's side of the socket fills."""
_DATA = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})


class BurstConnection(ClientConnection):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.received_at = 0.0
        """By the loop's clock, when the oldest frame that waits came."""
        self._frames: list[bytes | str] = []
        self.full = False
        """Whether the burst that was handed over last was all that may wait."""
        self._size = 0
        self._tail = b""
        self._parts: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None

    async def burst(self) -> list[bytes | str]:
        """The frames that wait, at least one. Raises ConnectionClosed when there will be none."""
        while not self._frames:
            if self.state is State.CLOSED:
                raise self.protocol.close_exc
            self._waiter = self.loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        frames, self._frames = self._frames, []
        self.full, self._size = self._size > FULL, 0
        if self.full and self.state is State.OPEN:
            self.transport.resume_reading()
        return frames

    def data_received(self, data: bytes) -> None:
        if self.response is None:
            self._shake_hands(data)
        elif self.state is State.OPEN:
            at = self._complete(data) if self._tail else 0
            if at < len(data):
                self._cut(data, at)
        else:
            super().data_received(data)
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._wake()

    def process_event(self, event: Any) -> None:
        """Frames that went through the library's parser."""
        if not isinstance(event, Frame) or event.opcode not in _DATA:
            super().process_event(event)
            return
        self._parts.append(bytes(event.data))
        if event.fin:
            self._put([b"".join(self._parts)])
            self._parts.clear()

    def _shake_hands(self, data: bytes) -> None:
        """The library gets the answer to the upgrade alone; what follows it in the same read is ours to cut."""
        head, mark, rest = (self._tail + data).partition(b"\r\n\r\n")
        if not mark and len(head) < MAX_HEAD:
            self._tail = head
            return
        self._tail = b""
        super().data_received(head + mark)
        if rest and self.state is State.OPEN:
            self._cut(rest)
        elif rest:
            super().data_received(rest)

    def _complete(self, data: bytes) -> int:
        """Put together the frame that the last read cut off; how much of `data` that takes.

        Alone: to copy a whole read of 256 KiB, which the system gives and takes back each time, costs page faults.
        """
        start = self._tail + data[:LONGEST_HEAD]
        length, body = (start[1], 2) if start[1] < LONG else _long_length(start, 0)
        taken = body + length - len(self._tail)
        self._cut(self._tail + data[:taken])
        return taken

    def _cut(self, data: bytes, at: int = 0) -> None:
        """One loop without calls: a busy market sends thousands of small frames a second."""
        frames: list[bytes] = []
        end = len(data)
        while end - at >= 2:
            head, length, body = data[at], data[at + 1], at + 2
            if length >= LONG:
                length, body = _long_length(data, at)
            after = body + length
            if after > end and length <= MAX_SIZE:
                break
            if head == WHOLE_BINARY and not self._parts and length <= MAX_SIZE:
                frames.append(data[body:after])
            else:
                self._put(frames)
                frames = []
                super().data_received(data[at:after])
            at = after
        self._put(frames)
        self._tail = data[at:]

    def _put(self, frames: list[bytes]) -> None:
        if not frames:
            return
        if not self._frames:
            self.received_at = self.loop.time()
        self._frames += frames
        was, self._size = self._size, self._size + sum(map(len, frames))
        if self._size > FULL >= was:
            self.transport.pause_reading()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done() and (self._frames or self.state is State.CLOSED):
            self._waiter.set_result(None)


def _long_length(data: bytes, at: int) -> tuple[int, int]:
    """Of the frame at `at`: its length, and where its body begins; beyond the data when its head is not whole.

    A masked frame, which no server may send, is too long for us, so that the library gets to see it and objects.
    """
    sign = data[at + 1]
    body = at + (4 if sign == LONG else LONGEST_HEAD)
    if sign >= MASKED:
        return MAX_SIZE + 1, body
    return int.from_bytes(data[at + 2 : body], "big") if body <= len(data) else 0, body
