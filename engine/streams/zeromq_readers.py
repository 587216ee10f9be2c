"""Threads that read from the embedded hub: everything on some topics, or one's share of a group's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from functools import lru_cache

import msgspec
import zmq

from engine.clock import SystemClock
from engine.streams.address import CurveKeys, HubAddress
from engine.streams.base import Frame, HasRoom, Take, Token

HIGH_WATER = 20_000
MAX_BATCH, MAX_BYTES, MAX_BURST = 64, 64 * 1024, 16
END_OF_TOPIC = b"\0"
NOBLOCK = int(zmq.NOBLOCK)
BEAT_EVERY = 0.5
"""Seconds between a group reader's signs of life."""
JOIN, ACK, LEAVE, WORK = b"join", b"ack", b"leave", b"work"

Context = zmq.Context[zmq.Socket[bytes]]
Socket = zmq.Socket[bytes]


class _Thread:
    """A socket and the thread that reads it until it is told to stop, or told something else to send."""

    kind = zmq.SUB
    beat_every = -1.0

    def __init__(self, context: Context, address: str, curve: CurveKeys | None, topics: Sequence[str]) -> None:
        self._context = context
        self._address = address
        self._curve = curve
        self._topics = list(topics)
        self._control: Socket = context.socket(zmq.PAIR)
        self._control.bind(f"inproc://control-{id(self)}")
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="hub-reader", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._control.send(b"")
        await asyncio.to_thread(self._thread.join)
        self._control.close()

    def _begin(self, socket: Socket) -> None: ...

    def _beat(self, socket: Socket) -> None: ...

    def _told(self, socket: Socket, order: bytes) -> None: ...

    def _read(self, socket: Socket) -> None: ...

    def _end(self, socket: Socket) -> None: ...

    def _wants_more(self) -> bool:
        return True

    def _run(self) -> None:
        from engine.streams.zeromq import connect

        control: Socket = self._context.socket(zmq.PAIR)
        control.connect(f"inproc://control-{id(self)}")
        socket: Socket = self._context.socket(self.kind)
        socket.rcvhwm = HIGH_WATER
        socket.linger = 0
        self._begin(socket)
        connect(socket, self._address, self._curve)
        try:
            self._loop(socket, control)
        finally:
            self._end(socket)
            socket.close()
            control.close()

    def _loop(self, socket: Socket, control: Socket) -> None:
        poller = zmq.Poller()
        poller.register(control, zmq.POLLIN)
        wait = round(self.beat_every * 1e3) if self.beat_every > 0 else None
        while True:
            poller.register(socket, zmq.POLLIN if self._wants_more() else 0)
            events = dict(poller.poll(wait))
            if control in events:
                order = control.recv()
                if not order:
                    return
                self._told(socket, order)
            if socket in events:
                self._read(socket)
            self._beat(socket)


class Reader(_Thread):
    """See `streams.base.Receiver`."""

    def __init__(self, context: Context, address: HubAddress, topics: Sequence[str], take: Take) -> None:
        self._take = take
        super().__init__(context, address.subscribe, address.curve, topics)

    async def ack(self, tokens: Sequence[Token]) -> None:
        return

    def _begin(self, socket: Socket) -> None:
        for topic in self._topics:
            socket.subscribe(topic)

    def _read(self, socket: Socket) -> None:
        """Hands over often: messages that wait decoded fall out of the processor's cache, which doubles their cost."""
        for _ in range(MAX_BURST):
            frames, more = receive(socket, self._topics[0])
            if frames:
                self._take(frames, None, self)
            if not more:
                return


class GroupReader(_Thread):
    """Its share of what the hub deals out to the group; signs of life keep it dealt to."""

    kind = zmq.DEALER
    beat_every = BEAT_EVERY

    def __init__(
        self, context: Context, address: HubAddress, topics: Sequence[str], group: str, take: Take, has_room: HasRoom
    ) -> None:
        self._take = take
        self._has_room = has_room
        self._join = [JOIN, group.encode(), *(topic.encode() for topic in topics)]
        self._clock = SystemClock()
        self._beaten = 0.0
        super().__init__(context, address.groups, address.curve, topics)

    async def ack(self, tokens: Sequence[Token]) -> None:
        self._control.send(msgspec.msgpack.encode(tokens))

    def _wants_more(self) -> bool:
        return self._has_room()

    def _begin(self, socket: Socket) -> None:
        socket.setsockopt(zmq.IMMEDIATE, 1)

    def _beat(self, socket: Socket) -> None:
        now = self._clock.monotonic()
        if now - self._beaten >= BEAT_EVERY and self._say(socket, self._join):
            self._beaten = now

    def _told(self, socket: Socket, order: bytes) -> None:
        self._say(socket, [ACK, order])

    def _end(self, socket: Socket) -> None:
        self._say(socket, [LEAVE])

    def _read(self, socket: Socket) -> None:
        while True:
            try:
                parts = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if len(parts) == 3 and parts[0] == WORK:
                token = int.from_bytes(parts[1], "big")
                self._take([parse(parts[2], self._topics[0])], token, self)

    @staticmethod
    def _say(socket: Socket, parts: list[bytes]) -> bool:
        """False without a hub; a sign of life is said again."""
        try:
            socket.send_multipart(parts, zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True


def receive(socket: Socket, topic: str) -> tuple[list[Frame], bool]:
    """Some frames, and whether there may be more; `topic` as for `parse`."""
    frames: list[Frame] = []
    left = MAX_BYTES
    while left > 0 and len(frames) < MAX_BATCH:
        try:
            data = socket.recv(NOBLOCK)
        except zmq.Again:
            return frames, False
        left -= len(data)
        frames.append(parse(data, topic))
    return frames, True


def parse(data: bytes, topic: str) -> Frame:
    """What is no frame is handed on as an empty one on `topic`, so that it is counted."""
    head, end, frame = data.partition(END_OF_TOPIC)
    try:
        return (_topic(head), frame) if end else (topic, b"")
    except UnicodeDecodeError:
        return topic, b""


@lru_cache(1024)
def _topic(head: bytes) -> str:
    return head.decode()
