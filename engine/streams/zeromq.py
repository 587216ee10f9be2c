"""The embedded hub: ZeroMQ publish-subscribe through a small proxy process, over sockets in a private folder.

Each process publishes to one address and subscribes at another; the proxy (`engine.workers.hub`) forwards. ZeroMQ
reconnects by itself when the proxy is restarted. Reading happens in a thread that hands over whole batches with one
wake-up, because a wake-up per message is what slows a Qt event loop down.
"""

from __future__ import annotations

import asyncio
import logging
import socket as unix_sockets
import tempfile
import threading
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import zmq

from engine.clock import Clock
from engine.streams.base import Delivery, Envelope

log = logging.getLogger(__name__)

HIGH_WATER = 20_000
"""Messages that wait in a socket before new ones are dropped."""
QUEUE_LIMIT = 50_000
"""Deliveries that wait for a slow reader before the oldest are dropped."""
MAX_BATCH = 2_000
PROBE = "_probe."
PROBES = 100
PROBE_MILLISECONDS = 20
LONGEST_PATH = 90
"""Unix sockets refuse paths beyond about 107 bytes."""


class HubAddress(msgspec.Struct, frozen=True):
    """Where the proxy listens: senders connect to `publish`, readers to `subscribe`."""

    publish: str
    subscribe: str


def private_hub_address(folder: Path) -> HubAddress:
    """Sockets in `folder`, which only this user may enter, or in a short temporary folder when its path is too long."""
    if len(str(folder).encode()) > LONGEST_PATH - len("/publish"):
        folder = Path(tempfile.mkdtemp(prefix="paddock-"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return HubAddress(f"ipc://{folder}/publish", f"ipc://{folder}/subscribe")


class ZeromqTransport:
    """One connection of one process to the hub. `publish` belongs to the thread that called `start`."""

    def __init__(self, address: HubAddress, sender: str, clock: Clock) -> None:
        self._address = address
        self._sender = sender
        self._clock = clock
        self._context = zmq.Context(io_threads=1)
        self._socket: zmq.Socket[bytes] | None = None
        self._sequence: dict[str, int] = defaultdict(int)
        self._encoder = msgspec.msgpack.Encoder()
        self._subscriptions: list[ZeromqSubscription] = []
        self._dropped = 0

    @property
    def dropped(self) -> int:
        return self._dropped

    async def start(self) -> None:
        """Returns when messages pass, or at once when no hub listens yet: ZeroMQ connects by itself when it comes."""
        socket: zmq.Socket[bytes] = self._context.socket(zmq.PUB)
        socket.sndhwm = HIGH_WATER
        socket.linger = 0
        socket.setsockopt(zmq.XPUB_NODROP, 1)  # a full buffer is an error that can be counted, not silence
        socket.connect(self._address.publish)
        self._socket = socket
        if not _somebody_listens(self._address.publish):
            log.info("no hub listens yet; messages will pass as soon as it does")
        elif not await asyncio.to_thread(self._try_out, socket):
            log.warning("the hub does not answer; messages will pass as soon as it does")

    def _try_out(self, socket: zmq.Socket[bytes]) -> bool:
        """Send through the hub to ourselves until something arrives: before that, messages would vanish."""
        topic = f"{PROBE}{self._sender}".encode()
        ears: zmq.Socket[bytes] = self._context.socket(zmq.SUB)
        ears.linger = 0
        ears.subscribe(topic)
        ears.connect(self._address.subscribe)
        try:
            for _ in range(PROBES):
                socket.send(topic)
                if ears.poll(PROBE_MILLISECONDS):
                    return True
            return False
        finally:
            ears.close()

    def publish(self, topic: str, message: msgspec.Struct) -> None:
        assert self._socket is not None, "start() comes first"
        self._sequence[topic] += 1
        envelope = (self._sender, self._sequence[topic], self._clock.now(), message)
        try:
            self._socket.send_multipart([topic.encode(), self._encoder.encode(envelope)], zmq.NOBLOCK)
        except zmq.Again:
            self._dropped += 1

    def subscribe(self, topics: Sequence[str]) -> ZeromqSubscription:
        subscription = ZeromqSubscription(self._context, self._address.subscribe, topics)
        self._subscriptions.append(subscription)
        return subscription

    async def close(self) -> None:
        for subscription in self._subscriptions:
            await subscription.close()
        if self._socket is not None:
            self._socket.close()
        self._context.term()


def _somebody_listens(address: str) -> bool:
    """Whether waiting makes sense. A socket file may be left from a hub that was killed; its connection is refused."""
    path = address.removeprefix("ipc://")
    if path == address:
        return True
    with unix_sockets.socket(unix_sockets.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


class ZeromqSubscription:
    """Async iterator of batches; see `streams.base.Subscription`. Must be created while the event loop runs."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str, topics: Sequence[str]) -> None:
        self.gaps = 0
        self.dropped = 0
        self.invalid = 0
        self._last: dict[tuple[str, str], int] = {}
        self._decoder = msgspec.msgpack.Decoder(Envelope)
        self._waiting: deque[Delivery] = deque()
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._closed = False
        self._control: zmq.Socket[bytes] = context.socket(zmq.PAIR)
        self._control.bind(f"inproc://stop-{id(self)}")
        self._thread = threading.Thread(
            target=self._read, args=(context, address, list(topics)), name="hub-reader", daemon=True
        )
        self._thread.start()

    async def __aiter__(self) -> AsyncIterator[list[Delivery]]:
        while not self._closed:
            await self._wake.wait()
            self._wake.clear()
            with self._lock:
                batch = list(self._waiting)
                self._waiting.clear()
            if batch:
                yield batch

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._wake.set()
        self._control.send(b"")
        await asyncio.to_thread(self._thread.join)
        self._control.close()

    def _read(self, context: zmq.Context[zmq.Socket[bytes]], address: str, topics: list[str]) -> None:
        control: zmq.Socket[bytes] = context.socket(zmq.PAIR)
        control.connect(f"inproc://stop-{id(self)}")
        socket: zmq.Socket[bytes] = context.socket(zmq.SUB)
        socket.rcvhwm = HIGH_WATER
        socket.linger = 0
        for topic in topics:
            socket.subscribe(topic)
        socket.connect(address)
        poller = zmq.Poller()
        poller.register(socket, zmq.POLLIN)
        poller.register(control, zmq.POLLIN)
        try:
            while control not in dict(poller.poll()):
                self._hand_over(self._receive(socket))
        finally:
            socket.close()
            control.close()

    def _receive(self, socket: zmq.Socket[bytes]) -> list[Delivery]:
        batch: list[Delivery] = []
        while len(batch) < MAX_BATCH:
            try:
                topic, frame = socket.recv_multipart(zmq.NOBLOCK)
                batch.append(self._decode(topic.decode(), frame))
            except zmq.Again:
                break
            except (msgspec.MsgspecError, ValueError):
                self.invalid += 1
        return batch

    def _decode(self, topic: str, frame: bytes) -> Delivery:
        envelope = self._decoder.decode(frame)
        key = (topic, envelope.sender)
        expected = self._last.get(key, envelope.sequence - 1) + 1
        # A sender that was restarted counts from 1 again; that is no gap.
        if envelope.sequence > expected:
            self.gaps += envelope.sequence - expected
        self._last[key] = envelope.sequence
        return Delivery(topic, envelope.sender, envelope.sent_at, envelope.message)

    def _hand_over(self, batch: list[Delivery]) -> None:
        if not batch:
            return
        with self._lock:
            asleep = not self._waiting
            self._waiting.extend(batch)
            while len(self._waiting) > QUEUE_LIMIT:
                self._waiting.popleft()
                self.dropped += 1
        if asleep:
            try:
                self._loop.call_soon_threadsafe(self._wake.set)
            except RuntimeError:
                return
