"""The embedded hub: ZeroMQ publish-subscribe through a small proxy process, over sockets in a private folder.

Each process publishes to one address and subscribes at another; the proxy (`engine.workers.hub`) forwards. ZeroMQ
reconnects by itself when the proxy is restarted, and the readers' subscriptions that then arrive anew tell a sender to
send again what is guaranteed. A process reads on its event loop, except under Qt: there a thread reads and hands over
whole batches with one wake-up, because a wake-up per message is what slows Qt's loop down.
"""

from __future__ import annotations

import asyncio
import logging
import socket as unix_sockets
from collections.abc import Sequence
from functools import lru_cache

import zmq

from engine.streams.address import CurveKeys, HubAddress
from engine.streams.base import Frame, HasRoom, Receiver, Take
from engine.streams.kinds import is_kept
from engine.streams.zeromq_loop_reader import LoopReader
from engine.streams.zeromq_readers import END_OF_TOPIC, GroupReader, Reader

log = logging.getLogger(__name__)

HIGH_WATER = 20_000
"""Messages that wait in a socket before new ones are dropped."""
PROBE = "_probe."
PROBES = 100
PROBE_MILLISECONDS = 20
NOBLOCK = int(zmq.NOBLOCK)
"""As a plain number: arithmetic on the library's flags costs more than sending."""
SUBSCRIBED = b"\x01"

Socket = zmq.Socket[bytes]


class ZeromqCarrier:
    """One connection of one process to the hub; see `streams.base.Carrier`."""

    name = "ZeroMQ"
    is_shared = False
    is_up = True
    reason = ""
    remedy = ""

    def __init__(self, address: HubAddress, sender: str, reads_in_thread: bool = False) -> None:
        """`reads_in_thread` under Qt, whose event loop is slow with sockets."""
        self._reads_in_thread = reads_in_thread
        self.dropped = 0
        self.connections = 0
        self._address = address
        self._sender = sender
        self._context = zmq.Context(io_threads=1)
        self._socket: Socket | None = None

    async def start(self) -> None:
        """Returns when messages pass, or at once when no hub listens yet: ZeroMQ connects by itself when it comes."""
        socket: Socket = self._context.socket(zmq.XPUB)
        socket.sndhwm = HIGH_WATER
        socket.linger = 0
        socket.setsockopt(zmq.XPUB_NODROP, 1)  # a full buffer is an error that can be counted, not silence
        connect(socket, self._address.publish, self._address.curve)
        self._socket = socket
        if not _somebody_listens(self._address.publish):
            log.info("no hub listens yet; messages will pass as soon as it does")
        elif not await asyncio.to_thread(self._try_out, socket):
            log.warning("the hub does not answer; messages will pass as soon as it does")

    def send(self, topic: str, frame: bytes) -> None:
        assert self._socket is not None, "start() comes first"
        try:
            self._socket.send(wire(topic, frame), NOBLOCK)
        except zmq.Again:
            self.dropped += 1

    def take_unsent(self) -> list[Frame]:
        return []

    def poll(self) -> None:
        """Somebody subscribed to guaranteed messages: for the first time, or because the hub had been away."""
        if self._socket is None:
            return
        while True:
            try:
                said = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            if said[:1] == SUBSCRIBED and is_kept(said[1:].decode(errors="replace")):
                self.connections += 1

    def receive(self, topics: Sequence[str], group: str | None, take: Take, has_room: HasRoom) -> Receiver:
        if group is None and not self._reads_in_thread:
            return LoopReader(self._context, self._address, topics, take)
        if group is None:
            return Reader(self._context, self._address, topics, take)
        return GroupReader(self._context, self._address, topics, group, take, has_room)

    async def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._context.term()

    def _try_out(self, socket: Socket) -> bool:
        """Send through the hub to ourselves until something arrives: before that, messages would vanish."""
        topic = f"{PROBE}{self._sender}".encode()
        ears: Socket = self._context.socket(zmq.SUB)
        ears.linger = 0
        ears.subscribe(topic)
        connect(ears, self._address.subscribe, self._address.curve)
        try:
            for _ in range(PROBES):
                socket.send(topic)
                if ears.poll(PROBE_MILLISECONDS):
                    return True
            return False
        finally:
            ears.close()


@lru_cache(1024)
def _head(topic: str) -> bytes:
    return topic.encode() + END_OF_TOPIC


def wire(topic: str, frame: bytes) -> bytes:
    """One part: the hub and readers handle half as many, and one that strangers send in parts disturbs nobody."""
    return _head(topic) + frame


def connect(socket: Socket, address: str, curve: CurveKeys | None) -> None:
    if curve is not None:
        socket.curve_serverkey = curve.server_public.encode()
        socket.curve_publickey = curve.client_public.encode()
        socket.curve_secretkey = curve.client_secret.encode()
    socket.connect(address)


def _somebody_listens(address: str) -> bool:
    """Whether waiting makes sense. A socket file may be left from a hub that was killed; its connection is refused."""
    path = address.removeprefix("ipc://")
    if path == address:
        return True
    with unix_sockets.socket(unix_sockets.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0
