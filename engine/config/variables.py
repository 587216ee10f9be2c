"""Environment variables that other programs use too: they fill what the settings leave empty."""

from __future__ import annotations

import os
from typing import Any

SERVERS: dict[str, tuple[str, ...]] = {
    "REDIS_HOST": ("hub", "redis", "host"),
    "REDIS_PORT": ("hub", "redis", "port"),
    "REDIS_USERNAME": ("hub", "redis", "username"),
    "REDIS_PASSWORD": ("hub", "redis", "password"),
    "KAFKA_BOOTSTRAP_SERVERS": ("hub", "kafka", "servers"),
}


def with_server_variables(content: dict[str, Any]) -> dict[str, Any]:
    """The file's content, and beneath it what REDIS_… and KAFKA_… say; both beneath PADDOCK_…."""
    for variable, (*sections, name) in SERVERS.items():
        if not (value := os.environ.get(variable)):
            continue
        place: Any = content
        for section in sections:
            place = place.setdefault(section, {}) if isinstance(place, dict) else None
        if isinstance(place, dict):
            place.setdefault(name, value)
    return content
