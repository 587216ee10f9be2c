"""`paddock capacity`: how many feed workers the load of the console or engine that runs needs, and why."""

from __future__ import annotations

from pathlib import Path

import msgspec
import typer

from engine.cli.processes import ANSWERS_WITHIN, ask
from engine.domain.errors import UnavailableError
from engine.views import CapacityView


def show(data: Path, *, as_json: bool) -> None:
    """Raises UnavailableError when nothing runs on the folder, or nothing was measured yet."""
    for answer in ask(data, ANSWERS_WITHIN, "capacity", []):
        if answer.capacity is not None:
            typer.echo(msgspec.json.encode(answer.capacity).decode() if as_json else _in_lines(answer.capacity))
            return
    raise UnavailableError("The engine did not say how it plans.", "Use a paddock of the same version.")


def _in_lines(capacity: CapacityView) -> str:
    guess = " (a guess)" if capacity.is_guess else ""
    return (
        f"feed workers: {capacity.workers} run, {capacity.now} needed now, {capacity.peak} at the peak{guess}\n"
        f"{capacity.reason}"
    )
