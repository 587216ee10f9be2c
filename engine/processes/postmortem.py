"""Write the card of a process that ended unexpectedly, from what its unit knows."""

from __future__ import annotations

from pathlib import Path

import msgspec
import psutil

from engine.domain.incidents import Figures, Incident, IncidentKind
from engine.processes.causes import Evidence, probable_cause
from engine.processes.gauge import Gauge
from engine.processes.specification import ProcessSpec
from engine.processes.speech import Speech

LINES = 50
HUNG = frozenset({IncidentKind.HANG, IncidentKind.NO_PROGRESS, IncidentKind.NOT_READY})
_VMSTAT = Path("/proc/vmstat")


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How one life of the process ended; `code` is None when it did not, or never began."""

    kind: IncidentKind
    reason: str
    code: int | None = None
    remedy: str = ""
    hopeless: bool = False
    done: bool = False
    """By itself, with success, after it was stable."""


def write_card(
    spec: ProcessSpec,
    speech: Speech,
    gauge: Gauge,
    ending: Ending,
    *,
    now: int,
    died: float,
    state: str,
    lived: float,
    restarts_left: int,
    system_killed: int,
) -> Incident:
    """`now` is int nanoseconds UTC, `died` the same in monotonic seconds, `lived` seconds; `system_killed` as in `Evidence`."""
    lines = speech.tail(LINES)
    samples = gauge.history.samples()
    cause = probable_cause(
        Evidence(
            exit_code=ending.code,
            lines=lines,
            memory=tuple(sample.rss_bytes for sample in samples if sample.at >= died - lived),
            memory_limit=spec.memory_limit,
            machine_memory=psutil.virtual_memory().total,
            system_killed=system_killed,
            hung=ending.kind in HUNG,
            recycled=ending.kind is IncidentKind.LIMIT,
        )
    )
    return Incident(
        key=f"{now:020d}-{spec.name}",
        timestamp=now,
        process=spec.name,
        kind=ending.kind,
        reason=ending.reason,
        state=state,
        exit_code=ending.code,
        lived=lived,
        restarts_left=restarts_left,
        cause=f"{cause.name}: {cause.text}" if cause is not None else "",
        remedy=ending.remedy or (cause.remedy if cause is not None else ""),
        tail=tuple(lines.splitlines()[-LINES:]),
        history=tuple(
            Figures(sample.at - died, sample.cpu_percent, sample.rss_bytes, sample.rate) for sample in samples
        ),
    )


def system_kills() -> int:
    """How many processes the system has killed for want of memory since it started; 0 where it does not say."""
    try:
        lines = _VMSTAT.read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
