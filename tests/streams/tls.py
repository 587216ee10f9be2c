"""What encrypted connections need: an authority of our own, and a door before a Kafka cluster that has none itself."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"


class Authority:
    """Signs one certificate for 127.0.0.1; `ca`, `certificate` and `key` are PEM files in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.ca, self.certificate, self.key = (folder / name for name in ("ca.pem", "server.pem", "server.key"))
        ours, theirs = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority of the tests")])
        host = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
        is_ca = x509.BasicConstraints(ca=True, path_length=0)
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))])
        signs = x509.SubjectKeyIdentifier.from_public_key(ours.public_key())
        root = _builder(name, name, ours).add_extension(is_ca, True).add_extension(signs, False)
        server = _builder(host, name, theirs).add_extension(here, False)
        signed_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(ours.public_key())
        self.ca.write_bytes(_pem(root.sign(ours, hashes.SHA256())))
        self.certificate.write_bytes(_pem(server.add_extension(signed_by, False).sign(ours, hashes.SHA256())))
        self.key.write_bytes(
            theirs.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        issuer,
        subject,
        key.public_key(),
        x509.random_serial_number(),
        now - timedelta(hours=1),
        now + timedelta(days=1),
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@contextlib.asynccontextmanager
async def kafka_door(authority: Authority, broker: int) -> AsyncIterator[int]:
    """The port of an encrypted door before a broker on `broker`. What the broker says of where it listens is put right
    on the way, or its clients would go on past the door.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(authority.certificate, authority.key)
    tasks: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, was: bytes, is_now: bytes) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while data := await reader.read(1 << 16):
                writer.write(data.replace(was, is_now))
                await writer.drain()
        writer.close()

    async def enter(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(HOST, broker)
        writers.extend((writer, inner_writer))
        said, meant = (HOST.encode() + number.to_bytes(4) for number in (broker, port))
        for way in (pump(reader, inner_writer, b"", b""), pump(inner_reader, writer, said, meant)):
            task = asyncio.create_task(way)
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(enter, HOST, 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        yield port
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
