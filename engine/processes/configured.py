"""What the configuration says of single processes, laid over the specifications that the engine makes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from engine.config.processes import ProcessSection
from engine.domain.errors import ConfigurationError
from engine.processes.specification import ProcessSpec

NOT_PLANNED = frozenset({"exchange"})
"""Known, but not in every environment: what is said of it is no mistake there."""


def configured(specs: Sequence[ProcessSpec], sections: Mapping[str, ProcessSection]) -> list[ProcessSpec]:
    """Raises ConfigurationError for a section that names no process."""
    known = {spec.name for spec in specs} | NOT_PLANNED
    for name in sections:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1) or sorted(known)
            raise ConfigurationError(
                f"[processes.{name}] is of no process.", f"Did you mean {' or '.join(near)}? Correct or remove it."
            )
    return [laid_over(spec, sections.get(spec.name)) for spec in specs]


def laid_over(spec: ProcessSpec, section: ProcessSection | None) -> ProcessSpec:
    if section is None:
        return spec
    said: dict[str, Any] = section.model_dump(exclude_none=True)
    policy = {field: said.pop(name) for name, field in (("restart", "when"), ("restarts", "budget")) if name in said}
    if "memory_limit_mb" in said:
        said["memory_limit"] = said.pop("memory_limit_mb") * 1_000_000
    restart = msgspec.structs.replace(spec.restart, **policy)
    return msgspec.structs.replace(spec, restart=restart, **said)
