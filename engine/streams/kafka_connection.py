"""What every Kafka client of ours is told, and what its failures mean."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from engine.streams.address import KafkaAddress
from engine.streams.trust import unreadable


def connection(address: KafkaAddress) -> dict[str, Any]:
    """What every client of ours is told."""
    told: dict[str, Any] = {
        "bootstrap_servers": address.servers,
        "request_timeout_ms": round(address.timeout_s * 1e3),
        "retry_backoff_ms": 100,
        "metadata_max_age_ms": 30_000,
    }
    if address.tls:
        told["ssl_context"] = _trust(address)
    if address.username:
        told |= {
            "sasl_mechanism": "SCRAM-SHA-256",
            "sasl_plain_username": address.username,
            "sasl_plain_password": address.password,
        }
    if address.tls or address.username:
        told["security_protocol"] = ("SASL_" if address.username else "") + ("SSL" if address.tls else "PLAINTEXT")
    return told


async def explain(error: BaseException, address: KafkaAddress) -> tuple[str, str]:
    """What is wrong and what to do, in words."""
    from aiokafka import errors

    if address.tls and (missing := unreadable(address.tls_ca, "hub.kafka")):
        return missing
    if address.tls and isinstance(error, errors.KafkaConnectionError):
        error = await _wrong_with_tls(address) or error
    place, text = address.servers, str(error) or type(error).__name__
    if isinstance(error, errors.AuthenticationFailedError | errors.UnsupportedSaslMechanismError):
        return (
            f"Kafka at {place} refuses the user or the password.",
            "Set [hub.kafka] username and password as on the brokers; they must offer SCRAM-SHA-256.",
        )
    if isinstance(error, errors.TopicAuthorizationFailedError | errors.GroupAuthorizationFailedError):
        return f"Kafka at {place} does not permit this user: {text}", "Permit reading and writing of the hub's topics."
    if isinstance(error, ssl.SSLError) or "SSL" in text:
        return (
            f"The encrypted connection to Kafka at {place} failed: {text}",
            "Compare [hub.kafka] tls and tls_ca with the brokers' set-up.",
        )
    if isinstance(error, TimeoutError | errors.KafkaTimeoutError | errors.RequestTimedOutError):
        return f"Kafka at {place} does not answer.", "See whether the brokers are overloaded or stopped."
    return (
        f"Kafka at {place} cannot be reached: {text}",
        "Start it, or correct [hub.kafka] servers or KAFKA_BOOTSTRAP_SERVERS.",
    )


def _trust(address: KafkaAddress) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=address.tls_ca or None)


async def _wrong_with_tls(address: KafkaAddress) -> ssl.SSLError | None:
    """aiokafka says of a certificate that it does not trust only that no broker could be reached."""
    host, _, port = address.servers.split(",")[0].strip().rpartition(":")
    try:
        async with asyncio.timeout(address.timeout_s):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=_trust(address))
    except ssl.SSLError as error:
        return error
    except (OSError, TimeoutError, ValueError):
        return None
    writer.close()
    return None
