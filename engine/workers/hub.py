"""The hub between processes: forwards what one publishes to all who subscribed, and deals it out to groups."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import zmq

from engine.domain.errors import UnavailableError
from engine.processes.child import Child
from engine.streams.address import CurveKeys, HubAddress
from engine.streams.groups import Groups
from engine.streams.zeromq import HIGH_WATER, NOBLOCK
from engine.streams.zeromq_readers import ACK, JOIN, LEAVE, WORK

if TYPE_CHECKING:
    from zmq.auth.thread import ThreadAuthenticator

STOP = "inproc://stop"
MAX_BURST = 1_000
GROUPS_EVERY = 250
"""Milliseconds between two looks for dead readers."""

Context = zmq.Context[zmq.Socket[bytes]]
Socket = zmq.Socket[bytes]


class Settings(msgspec.Struct, kw_only=True):
    hub: HubAddress


async def main(child: Child[Settings]) -> None:
    address = child.settings.hub
    context: Context = zmq.Context(io_threads=1)
    guard = _guard(context, address.curve)
    stop = context.socket(zmq.PAIR)
    stop.bind(STOP)
    proxy = Proxy(context, address, child)
    thread = threading.Thread(target=proxy.run, name="proxy")
    thread.start()
    child.ready(address.publish)
    await child.stopping.wait()
    stop.send(b"")
    await asyncio.to_thread(thread.join)
    stop.close()
    if guard is not None:
        guard.stop()
    context.term()


class Proxy:
    """As zmq.proxy, but counting, so that the heartbeat can tell work from idleness; and with groups."""

    def __init__(self, context: Context, address: HubAddress, child: Child[Settings]) -> None:
        self._context = context
        self._child = child
        self._groups = Groups()
        self._incoming = _bind(context, zmq.XSUB, address.publish, address.curve)
        self._outgoing = _bind(context, zmq.XPUB, address.subscribe, address.curve)
        self._dealing = _bind(context, zmq.ROUTER, address.groups, address.curve)
        self._dealing.router_mandatory = 1

    def run(self) -> None:
        stop = self._context.socket(zmq.PAIR)
        stop.connect(STOP)
        sockets = (self._incoming, self._outgoing, self._dealing, stop)
        poller = zmq.Poller()
        for socket in sockets:
            poller.register(socket, zmq.POLLIN)
        while stop not in (events := dict(poller.poll(GROUPS_EVERY if self._groups else None))):
            if self._incoming in events:
                self._child.progress(self._forward())
            if self._outgoing in events:
                self._pass_subscriptions()
            if self._dealing in events:
                self._hear_groups()
            if self._groups:
                self._deal()
        for socket in sockets:
            socket.close()

    def _forward(self) -> int:
        for count in range(MAX_BURST):
            try:
                data = self._incoming.recv(NOBLOCK)
                if self._groups:
                    self._groups.offer(data)
                self._outgoing.send(data, NOBLOCK)
            except zmq.Again:
                return count
        return MAX_BURST

    def _pass_subscriptions(self) -> None:
        for _ in range(MAX_BURST):
            try:
                self._incoming.send(self._outgoing.recv(zmq.NOBLOCK), zmq.NOBLOCK)
            except zmq.Again:
                return

    def _hear_groups(self) -> None:
        for _ in range(MAX_BURST):
            try:
                name, verb, *rest = self._dealing.recv_multipart(zmq.NOBLOCK)
                self._hear(name, verb, rest)
            except zmq.Again:
                return
            except (ValueError, msgspec.MsgspecError):
                continue  # whoever says such things is no reader

    def _hear(self, name: bytes, verb: bytes, rest: list[bytes]) -> None:
        if verb == JOIN and len(rest) >= 2:
            if self._groups.join(name, rest[0], tuple(rest[1:]), self._child.clock.monotonic()):
                for topic in rest[1:]:
                    self._incoming.send(b"\x01" + topic)
        elif verb == ACK and rest:
            self._groups.ack(name, msgspec.msgpack.decode(rest[0], type=list[int]))
        elif verb == LEAVE:
            self._groups.leave(name)

    def _deal(self) -> None:
        for topic in self._groups.expire(self._child.clock.monotonic()):
            self._incoming.send(b"\x00" + topic)
        for name, work in self._groups.deal():
            try:
                parts = [name, WORK, work.number.to_bytes(8, "big"), work.data]
                self._dealing.send_multipart(parts, zmq.NOBLOCK)
            except (zmq.Again, zmq.ZMQError):
                self._groups.leave(name)  # gone; what it had goes to the others


def _bind(context: Context, kind: int, address: str, curve: CurveKeys | None) -> Socket:
    socket = context.socket(kind)
    socket.linger = 0
    socket.sndhwm = socket.rcvhwm = HIGH_WATER
    if curve is not None:
        socket.curve_server = True
        socket.curve_secretkey = curve.server_secret.encode()
    # A socket file left by a hub that was killed is in the way of nobody: ZeroMQ takes it over, but only if it may.
    path = address.removeprefix("ipc://")
    try:
        if path != address:
            Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        socket.bind(address)
    except (zmq.ZMQError, OSError) as error:
        raise UnavailableError(
            f"The hub cannot listen at {address}: {error}.", "Close whatever uses it, or choose another data folder."
        ) from None
    return socket


class _Guests:
    """Lets in who has the key that this run's processes were given."""

    def __init__(self, client_public: str) -> None:
        self._key = client_public.encode()

    def callback(self, domain: str, key: bytes) -> bool:
        return key == self._key


def _guard(context: Context, curve: CurveKeys | None) -> ThreadAuthenticator | None:
    if curve is None:
        return None
    from zmq.auth.thread import ThreadAuthenticator

    guard = ThreadAuthenticator(context)
    guard.start()
    guard.configure_curve_callback(domain="*", credentials_provider=_Guests(curve.client_public))
    return guard
