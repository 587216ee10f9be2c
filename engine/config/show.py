"""Print the settings that hold as TOML, in the form of the configuration file; secrets are masked."""

from __future__ import annotations

from typing import Any

import tomli_w

from engine.config.settings import Settings


def as_toml(settings: Settings) -> str:
    return tomli_w.dumps(_plain(settings.model_dump(mode="json")))


def _plain(value: Any) -> Any:
    """TOML has no null: what is not set is left out. SecretStr arrives masked, as asterisks, from pydantic."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value
