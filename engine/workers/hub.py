"""The hub between processes: forwards what one publishes to all who subscribed."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import msgspec
import zmq

from engine.domain.errors import UnavailableError
from engine.processes.child import Child
from engine.streams.zeromq import HIGH_WATER, HubAddress

STOP = "inproc://stop"
MAX_BURST = 1_000


class Settings(msgspec.Struct, kw_only=True):
    hub: HubAddress


async def main(child: Child[Settings]) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context(io_threads=1)
    stop = context.socket(zmq.PAIR)
    stop.bind(STOP)
    incoming = _bind(context, zmq.XSUB, child.settings.hub.publish)
    outgoing = _bind(context, zmq.XPUB, child.settings.hub.subscribe)
    thread = threading.Thread(target=_forward, args=(context, incoming, outgoing, child), name="proxy")
    thread.start()
    child.ready(child.settings.hub.publish)
    await child.stopping.wait()
    stop.send(b"")
    await asyncio.to_thread(thread.join)
    stop.close()
    context.term()


def _bind(context: zmq.Context[zmq.Socket[bytes]], kind: int, address: str) -> zmq.Socket[bytes]:
    socket = context.socket(kind)
    socket.linger = 0
    socket.sndhwm = socket.rcvhwm = HIGH_WATER
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


def _forward(
    context: zmq.Context[zmq.Socket[bytes]],
    incoming: zmq.Socket[bytes],
    outgoing: zmq.Socket[bytes],
    child: Child[Settings],
) -> None:
    """As zmq.proxy, but counting, so that the heartbeat can tell work from idleness."""
    stop = context.socket(zmq.PAIR)
    stop.connect(STOP)
    poller = zmq.Poller()
    for socket in (incoming, outgoing, stop):
        poller.register(socket, zmq.POLLIN)
    while stop not in (events := dict(poller.poll())):
        if incoming in events:
            child.progress(_move(incoming, outgoing))
        if outgoing in events:
            _move(outgoing, incoming)
    for socket in (incoming, outgoing, stop):
        socket.close()


def _move(source: zmq.Socket[bytes], target: zmq.Socket[bytes]) -> int:
    for count in range(MAX_BURST):
        try:
            target.send_multipart(source.recv_multipart(zmq.NOBLOCK, copy=False), zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return count
    return MAX_BURST
