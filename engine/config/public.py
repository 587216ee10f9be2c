"""The configuration file without its secrets, so that it can be kept where secrets must not be."""

from __future__ import annotations

from typing import Any, get_args

import tomli_w
from pydantic import BaseModel, SecretStr

from engine.config.settings import Settings

Content = dict[str, Any]


def without_secrets(content: Content) -> tuple[Content, list[str]]:
    """The settings of a file but for its secrets, and the names of those. `data`, which names this machine's folder,
    is left out as well.
    """
    removed: list[str] = []
    kept = _of_model({name: value for name, value in content.items() if name != "data"}, Settings, "", removed)
    return kept or {}, removed


def as_file(content: Content, removed: list[str]) -> str:
    """TOML whose first lines name the secrets that are missing."""
    missing = "".join(f"# {name} is a secret and was not saved: set it again.\n" for name in removed)
    return missing + tomli_w.dumps(content)


def _of_model(content: Content, model: type[BaseModel], where: str, removed: list[str]) -> Content | None:
    """None when what is left could not be read again, because the model requires the secret."""
    kept: Content = {}
    whole = True
    for name, value in content.items():
        field = model.model_fields.get(name)
        if field is None:
            continue
        found = _kept(value, field.annotation, f"{where}{name}", removed)
        if found is not None:
            kept[name] = found
        elif field.is_required():
            whole = False
    return kept if whole else None


def _kept(value: Any, annotation: Any, where: str, removed: list[str]) -> Any:
    """None for a secret."""
    if _is_secret(annotation):
        removed.append(where)
        return None
    model = _model_in(annotation)
    if model is None:
        return value
    if isinstance(value, list):
        found = [_of_model(one, model, f"{where}.", removed) for one in value if isinstance(one, dict)]
        return [one for one in found if one is not None]
    if not isinstance(value, dict):
        return value
    if issubclass(dict, _outer(annotation)):
        by_name = {key: _of_model(one, model, f"{where}.{key}.", removed) for key, one in value.items()}
        return {key: one for key, one in by_name.items() if one is not None}
    return _of_model(value, model, f"{where}.", removed)


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_is_secret(one) for one in get_args(annotation))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The section that a field holds, alone, in a list or by name."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _model_in(one)) is not None), None)


def _outer(annotation: Any) -> type:
    origin = getattr(annotation, "__origin__", None)
    return origin if isinstance(origin, type) else type(None)
