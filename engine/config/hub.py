"""Settings of the hub between processes: which transport carries messages, and with which keys; docs/hub.md."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from engine.config.section import Section

KEY_BYTES = 32
HOST = r"^[^\s/:@]*$"


class TlsSection(Section):
    username: str = Field("", description="empty where the server asks for none")
    password: SecretStr = Field(SecretStr(""), description="better in the environment than in a file")
    tls: bool = Field(False, description="encrypt the connection")
    tls_ca: str = Field("", description="file with the authority of the server's certificate; empty for the system's")


class RedisSection(TlsSection):
    host: str = Field("", pattern=HOST, description="empty where there is none; also REDIS_HOST")
    port: int = Field(6379, ge=1, le=65535, description="also REDIS_PORT")
    database: int = Field(0, ge=0, le=1_000)
    keep_entries: int = Field(10_000, ge=100, le=10_000_000, description="length each stream is trimmed to, about")


class KafkaSection(TlsSection):
    servers: str = Field(
        "",
        pattern=r"^([^\s/:,]+:\d{1,5}(,[^\s/:,]+:\d{1,5})*)?$",
        description="host:port, several separated by commas; also KAFKA_BOOTSTRAP_SERVERS",
    )


class HubKey(Section):
    """One key that seals messages on Redis or Kafka."""

    id: str = Field(pattern=r"^[a-zA-Z0-9._-]{1,32}$", description="names the key on the wire; not secret")
    key: SecretStr = Field(description="32 bytes in base64; paddock hub key makes one")
    retired: datetime | None = Field(
        None, description="from then on it seals nothing; for a day more it opens what it sealed"
    )

    @field_validator("key")
    @classmethod
    def _check(cls, key: SecretStr) -> SecretStr:
        try:
            length = len(base64.b64decode(key.get_secret_value(), validate=True))
        except (binascii.Error, ValueError):
            length = 0
        if length != KEY_BYTES:
            raise ValueError("a key is 32 bytes in base64; make one with: paddock hub key")
        return key


class HubSection(Section):
    transport: Literal["auto", "embedded", "redis", "kafka"] = Field(
        "auto", description="auto takes redis or kafka where one is named below, else the embedded hub"
    )
    redis: RedisSection = RedisSection()
    kafka: KafkaSection = KafkaSection()
    namespace: str = Field(
        "",
        pattern=r"^[a-z0-9-]{0,40}$",
        description="installations with the same one hear each other's bots; empty keeps this one to itself",
    )
    keys: list[HubKey] = Field(default_factory=list, max_length=10, description="the first that is in use seals")
    hold_s: float = Field(2.0, ge=0, le=60, description="a silent Redis or Kafka is waited for so long")
    settle_s: float = Field(2.0, ge=0, le=600, description="it must answer again for so long to be used again")

    @model_validator(mode="after")
    def _check(self) -> HubSection:
        if self.transport == "redis" and not self.redis.host:
            raise ValueError("transport is redis, but [hub.redis] names no host")
        if self.transport == "kafka" and not self.kafka.servers:
            raise ValueError("transport is kafka, but [hub.kafka] names no servers")
        ids = [key.id for key in self.keys]
        if len(set(ids)) != len(ids):
            raise ValueError("two hub keys have the same id")
        if self.keys and all(key.retired is not None for key in self.keys):
            raise ValueError("every hub key is retired; one must be in use")
        return self

    @property
    def carrier(self) -> Literal["embedded", "redis", "kafka"]:
        """What is preferred, after `auto` has been decided."""
        if self.transport != "auto":
            return self.transport
        return "redis" if self.redis.host else "kafka" if self.kafka.servers else "embedded"
