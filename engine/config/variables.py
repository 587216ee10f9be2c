"""Environment variables that other programs use too: they fill what the settings leave empty."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from engine.domain.errors import ConfigurationError

SERVERS: dict[str, tuple[str, ...]] = {
    "REDIS_HOST": ("hub", "redis", "host"),
    "REDIS_PORT": ("hub", "redis", "port"),
    "REDIS_USERNAME": ("hub", "redis", "username"),
    "REDIS_PASSWORD": ("hub", "redis", "password"),
    "KAFKA_BOOTSTRAP_SERVERS": ("hub", "kafka", "servers"),
}


SCALING = "SCALING_THRESHOLDS"
_SHARE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*")


def with_common_variables(content: dict[str, Any]) -> dict[str, Any]:
    """The file's content, and beneath it what REDIS_…, KAFKA_… and SCALING_THRESHOLDS say; all beneath PADDOCK_….

    Raises ConfigurationError for thresholds that cannot be read.
    """
    for variable, (*sections, name) in SERVERS.items():
        if value := os.environ.get(variable):
            _lay_beneath(content, sections, name, value)
    if said := os.environ.get(SCALING):
        for name, share in zip(("up_above", "down_below"), _thresholds(said), strict=True):
            _lay_beneath(content, ["scaling"], name, share)
    return content


def _lay_beneath(content: dict[str, Any], sections: Sequence[str], name: str, value: object) -> None:
    place: Any = content
    for section in sections:
        place = place.setdefault(section, {}) if isinstance(place, dict) else None
    if isinstance(place, dict):
        place.setdefault(name, value)


def _thresholds(said: str) -> tuple[float, float]:
    """Of `80,30`, `80%,30%` or `0.8,0.3`: the shares above and below which the number of feeds changes."""
    found = [_SHARE.fullmatch(part) for part in said.split(",")]
    if len(found) == 2 and found[0] is not None and found[1] is not None:
        up, down = (float(match[1]) / (100 if match[2] or float(match[1]) > 1 else 1) for match in found if match)
        if 0 < down < up <= 1:
            return up, down
    raise ConfigurationError(
        f"{SCALING} is {said!r:.60}.", "Give it the share for one more feed and that for one less: 80,30 or 0.8,0.3."
    )
