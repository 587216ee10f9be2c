"""Find the configuration file, read it, lay the environment and the command line over it, and explain what is wrong.

The file is `paddock.toml` in the user's configuration folder; `--data DIR` prefers DIR/paddock.toml where there is one,
and PADDOCK_CONFIG names another. Alpaca's own variables APCA_API_KEY_ID and APCA_API_SECRET_KEY fill the keys of the
chosen account where ours are empty.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsError

from engine.config.alpaca import Environment, KeyPair
from engine.config.settings import Settings
from engine.config.variables import with_common_variables
from engine.domain.errors import ConfigurationError

FILE_NAME = "paddock.toml"
REMEDY = "`paddock config path` names the file; `paddock config validate` checks it again."

_file: dict[str, Any] = {}


class FileSource(PydanticBaseSettingsSource):
    """What `load_settings` has read from the file."""

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return _file.get(field_name), field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(_file)


def config_path(data: Path | None = None) -> Path:
    """The file that counts, whether it exists or not."""
    named = os.environ.get("PADDOCK_CONFIG")
    if named:
        return Path(named)
    if data is not None and (data / FILE_NAME).is_file():
        return data / FILE_NAME
    return Path(platformdirs.user_config_dir("paddock", appauthor=False)) / FILE_NAME


def default_data_folder() -> Path:
    return Path(platformdirs.user_data_dir("paddock", appauthor=False))


def load_settings(data: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The settings that hold. `overrides` come from the command line, nested as in the tree; None values are ignored.

    Raises ConfigurationError naming file, setting and what it should be. Writes nothing.
    """
    path = config_path(data)
    content = with_common_variables(read_file(path))
    chosen = _without_none(overrides or {})
    if data is not None:
        chosen["data"] = data.expanduser().absolute()
    elif "data" not in content and not os.environ.get("PADDOCK_DATA"):
        content["data"] = default_data_folder()
    _file.clear()
    _file.update(content)
    try:
        settings = Settings(**chosen)
    except ValidationError as error:
        raise ConfigurationError(_explain(error, path), REMEDY) from None
    except SettingsError as error:
        raise ConfigurationError(f"An environment variable PADDOCK_… cannot be read: {error}", REMEDY) from None
    finally:
        _file.clear()
    return _with_alpaca_variables(settings)


def require_keys(settings: Settings) -> KeyPair:
    """The keys of the environment. Raises ConfigurationError when paper or live have none."""
    keys = settings.keys
    name = settings.environment.value
    if settings.environment is not Environment.DEMO and not (keys.key and keys.secret.get_secret_value()):
        raise ConfigurationError(
            f"The {name} account needs API keys and none are configured.",
            f"Set APCA_API_KEY_ID and APCA_API_SECRET_KEY, or [alpaca.{name}] key and secret in {FILE_NAME}; "
            "without keys, run the demo: paddock --demo",
        )
    return keys


def read_file(path: Path) -> dict[str, Any]:
    """What a configuration file says; nothing where there is none. Raises ConfigurationError."""
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        if os.environ.get("PADDOCK_CONFIG"):
            raise ConfigurationError(
                f"{path}, named by PADDOCK_CONFIG, does not exist.", "Unset it or create the file."
            ) from None
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error}", "Check its permissions and that it is UTF-8."
        ) from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path} is not valid TOML: {error}", REMEDY) from None


_SECRET = ("secret", "password", "keys")


def _explain(error: ValidationError, path: Path) -> str:
    lines = []
    for problem in error.errors()[:10]:
        where = ".".join(str(part) for part in problem["loc"]) or "settings"
        said = problem["msg"].removeprefix("Value error, ")
        given = (
            ""
            if any(word in where for word in _SECRET) or problem["type"] in {"missing", "value_error"}
            else f" (given: {problem['input']!r:.60})"
        )
        lines.append(f"  {where}: {said}{given}")
    source = f" in {path}" if path.is_file() else ""
    return f"Settings that cannot be used{source} or on the command line:\n" + "\n".join(lines)


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            inner = _without_none(value)
            if inner:
                kept[name] = inner
        elif value is not None:
            kept[name] = value
    return kept


def _with_alpaca_variables(settings: Settings) -> Settings:
    key = os.environ.get("APCA_API_KEY_ID")
    secret = os.environ.get("APCA_API_SECRET_KEY")
    if not key or not secret or settings.environment is Environment.DEMO or settings.keys.key:
        return settings
    pair = settings.keys.model_copy(update={"key": key, "secret": SecretStr(secret)})
    alpaca = settings.alpaca.model_copy(update={settings.environment.value: pair})
    return settings.model_copy(update={"alpaca": alpaca})
