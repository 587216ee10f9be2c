"""The hub as the configuration wants it, and the news of where its messages really go."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from collections.abc import Callable
from pathlib import Path

from engine.config.hub import HubKey, HubSection
from engine.config.settings import Settings
from engine.domain.errors import ConfigurationError
from engine.domain.events import Severity
from engine.streams.address import KafkaAddress, RedisAddress, SealingKey, Sharing
from engine.streams.transport import HubStatus
from engine.views import Summary

log = logging.getLogger(__name__)

Tell = Callable[[str, str, str, Severity], None]
KAFKA_CLIENT = "aiokafka"


def sharing(settings: Settings, folder: Path) -> Sharing | None:
    """None for the embedded hub alone. `folder` is the installation's, one for each environment.

    Raises ConfigurationError when Kafka is asked for and its client is not installed.
    """
    section = settings.hub
    carrier = section.carrier
    if carrier == "embedded" or (carrier == "kafka" and not _has_kafka(section)):
        return None
    return Sharing(
        redis=redis_address(section) if carrier == "redis" else None,
        kafka=kafka_address(section) if carrier == "kafka" else None,
        namespace=f"{_namespace(section, folder)}-{folder.name}",
        keys=[_key(key) for key in section.keys],
        hold_s=section.hold_s,
        settle_s=section.settle_s,
    )


class HubNews:
    """Called with each change of the engine's own way; bots and feed change over by themselves at the same time."""

    def __init__(self, summary: Summary, tell: Tell) -> None:
        self._summary = summary
        self._tell = tell
        self._away = False

    def __call__(self, status: HubStatus) -> None:
        self._summary.hub_name = status.name if status.is_as_wanted else f"{status.name} ({status.preferred} away)"
        self._summary.hub_reason = status.reason
        if status.is_as_wanted and self._away:
            self._away = False
            self._tell("hub", f"Messages between processes go over {status.name} again.", "", Severity.INFO)
        elif status.is_embedded and not self._away:
            self._away = True
            self._tell(
                "hub",
                f"{status.reason} Messages between processes go over the embedded hub meanwhile.",
                status.remedy,
                Severity.WARNING,
            )


def _namespace(section: HubSection, folder: Path) -> str:
    """Without a name of its own an installation shares with nobody, whoever else uses the same server."""
    return section.namespace or f"paddock-{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]}"


def redis_address(section: HubSection) -> RedisAddress:
    redis = section.redis
    return RedisAddress(
        host=redis.host,
        port=redis.port,
        database=redis.database,
        username=redis.username,
        password=redis.password.get_secret_value(),
        tls=redis.tls,
        tls_ca=redis.tls_ca,
        keep_entries=redis.keep_entries,
    )


def kafka_address(section: HubSection) -> KafkaAddress:
    kafka = section.kafka
    return KafkaAddress(
        servers=kafka.servers,
        username=kafka.username,
        password=kafka.password.get_secret_value(),
        tls=kafka.tls,
        tls_ca=kafka.tls_ca,
    )


def _key(key: HubKey) -> SealingKey:
    retired = 0 if key.retired is None else int(key.retired.timestamp() * 1e9)
    return SealingKey(key_id=key.id, key=key.key.get_secret_value(), retired_at=retired)


def _has_kafka(section: HubSection) -> bool:
    try:
        require_kafka_client(f"The hub is to use Kafka at {section.kafka.servers}")
    except ConfigurationError as error:
        if section.transport == "kafka":
            raise
        log.warning("%s The embedded hub is used.", error.message, extra={"remedy": error.remedy})
        return False
    return True


def require_kafka_client(why: str) -> None:
    """Raises ConfigurationError where it is not installed; `why` begins the sentence."""
    if importlib.util.find_spec(KAFKA_CLIENT) is None:
        raise ConfigurationError(
            f"{why}, but its client is not installed.", "Install it: pip install 'paddock[kafka]'."
        )
