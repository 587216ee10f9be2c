"""Reads from the embedded hub on the event loop itself: one wake-up for a message, where a thread of its own needs two."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import zmq

from engine.streams.address import HubAddress
from engine.streams.base import Take, Token
from engine.streams.zeromq_readers import HIGH_WATER, Context, Socket, receive


class LoopReader:
    """See `streams.base.Receiver`. Must be created, and is read, on the running loop."""

    def __init__(self, context: Context, address: HubAddress, topics: Sequence[str], take: Take) -> None:
        from engine.streams.zeromq import connect

        self._take = take
        self._topic = topics[0]
        self._loop = asyncio.get_running_loop()
        self._socket: Socket = context.socket(zmq.SUB)
        self._socket.rcvhwm = HIGH_WATER
        self._socket.linger = 0
        for topic in topics:
            self._socket.subscribe(topic)
        connect(self._socket, address.subscribe, address.curve)
        self._descriptor = cast(int, self._socket.getsockopt(zmq.FD))
        self._loop.add_reader(self._descriptor, self._read)
        self._loop.call_soon(self._read)

    async def ack(self, tokens: Sequence[Token]) -> None:
        return

    async def close(self) -> None:
        if not self._socket.closed:
            self._loop.remove_reader(self._descriptor)
            self._socket.close()

    def _read(self) -> None:
        """ZeroMQ's descriptor tells only of a change, so what is left is read in the next turn, without being told."""
        if self._socket.closed:
            return
        frames, more = receive(self._socket, self._topic)
        if frames:
            self._take(frames, None, self)
        if more:
            self._loop.call_soon(self._read)
