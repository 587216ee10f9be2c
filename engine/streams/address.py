"""Where the hub is: everything a process needs to connect, given to it with its settings on stdin, secrets included."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import msgspec

LONGEST_PATH = 90
"""Unix sockets refuse paths beyond about 107 bytes."""
LOOPBACK = "127.0.0.1"


class CurveKeys(msgspec.Struct, frozen=True):
    """Two CURVE key pairs (https://rfc.zeromq.org/spec/25/), Z85 text: the hub's own, and the one all its clients use."""

    server_public: str
    server_secret: str
    client_public: str
    client_secret: str


class RedisAddress(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    port: int = 6379
    database: int = 0
    username: str = ""
    password: str = ""
    tls: bool = False
    tls_ca: str = ""
    """File with the authority that signed the server's certificate; empty for the system's."""
    keep_entries: int = 10_000
    """Length that each stream is trimmed to, about."""
    claim_after_s: float = 30.0
    """An entry that a reader of a group took and did not acknowledge for so long goes to another."""
    timeout_s: float = 2.0

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}"


class KafkaAddress(msgspec.Struct, frozen=True, kw_only=True):
    servers: str
    """host:port, several separated by commas."""
    username: str = ""
    password: str = ""
    tls: bool = False
    tls_ca: str = ""
    session_s: float = 10.0
    """A reader of a group that is not heard of for so long is taken for dead, and its share goes to others."""
    timeout_s: float = 2.0


class SealingKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key for AES-256-GCM: 32 bytes, base64; `key_id` names it on the wire."""

    key_id: str
    key: str
    retired_at: int = 0
    """Wall time from which it seals nothing any more, int nanoseconds UTC; 0 for a key in use."""


class Sharing(msgspec.Struct, frozen=True, kw_only=True):
    """The shared transport that is preferred to the embedded one while it answers."""

    redis: RedisAddress | None = None
    kafka: KafkaAddress | None = None
    namespace: str = "paddock"
    """Installations with the same one hear each other."""
    keys: list[SealingKey] = []
    """The first seals; all open what they sealed."""
    hold_s: float = 2.0
    """How long messages wait for it before they go over the embedded hub."""
    settle_s: float = 2.0
    """How long it must answer again before messages go back to it."""


class HubAddress(msgspec.Struct, frozen=True):
    """Where the proxy listens: senders connect to `publish`, readers to `subscribe`, groups of readers to `groups`."""

    publish: str
    subscribe: str
    groups: str = ""
    curve: CurveKeys | None = None
    sharing: Sharing | None = None


def private_hub_address(folder: Path, sharing: Sharing | None = None) -> HubAddress:
    """Sockets in `folder`, which only this user may enter, or in a short temporary folder when its path is too long.

    A system without Unix sockets gets loopback TCP with CURVE keys made for this run.
    """
    if not hasattr(socket, "AF_UNIX"):
        return loopback_hub_address(sharing)
    if len(str(folder).encode()) > LONGEST_PATH - len("/subscribe"):
        folder = Path(tempfile.mkdtemp(prefix="paddock-"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    ipc = f"ipc://{folder}"
    return HubAddress(f"{ipc}/publish", f"{ipc}/subscribe", f"{ipc}/groups", sharing=sharing)


def loopback_hub_address(sharing: Sharing | None = None) -> HubAddress:
    """Three free ports of this machine; who has not the keys can neither send nor read."""
    import zmq

    server_public, server_secret = (key.decode() for key in zmq.curve_keypair())
    client_public, client_secret = (key.decode() for key in zmq.curve_keypair())
    keys = CurveKeys(server_public, server_secret, client_public, client_secret)
    publish, subscribe, groups = (f"tcp://{LOOPBACK}:{port}" for port in _free_ports(3))
    return HubAddress(publish, subscribe, groups, curve=keys, sharing=sharing)


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
