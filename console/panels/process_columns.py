"""The columns of the processes, and what a group of them adds up to."""

from __future__ import annotations

import time

from console import format
from console.models.table import Column
from engine.views import ProcessRow

STATES = {
    "RUNNING": ("●", "good"), "STARTING": ("◐", "warning"), "BACKOFF": ("▲", "warning"), "STOPPED": ("■", "muted"),
    "EXITED": ("■", "muted"), "FATAL": ("✕", "bad"), "STUCK": ("✕", "bad"), "UNRESPONSIVE": ("▲", "bad"),
    "STOPPING": ("◐", "warning"), "KILLING": ("◐", "bad"),
}  # fmt: skip


def columns() -> list[Column[ProcessRow]]:
    def state(process: ProcessRow) -> str:
        return f"{'▲' if process.warning else STATES.get(process.state, ('○', ''))[0]} {process.state}"

    def tone(process: ProcessRow) -> str:
        return "warning" if process.warning else STATES.get(process.state, ("", "muted"))[1]

    def since(moment: float) -> float:
        return time.monotonic() - moment if moment else -1.0

    def progress(process: ProcessRow) -> str:
        return f"{since(process.last_progress):.0f} s ago" if process.pid and process.last_progress else format.DASH

    return [
        Column("Name", lambda r: r.name, width=130, tooltip=lambda r: r.detail or r.name),
        Column("State", state, width=120, tone=tone, tooltip=lambda r: r.warning or r.state),
        Column("PID", lambda r: str(r.pid) if r.pid else format.DASH, lambda r: r.pid, width=60, right=True),
        Column("Up", lambda r: format.duration(since(r.started_at)) if r.started_at else format.DASH,
               lambda r: since(r.started_at), width=76, right=True),
        Column("CPU %", lambda r: f"{r.cpu_percent:.0f}" if r.pid else format.DASH, lambda r: r.cpu_percent,
               width=84, right=True),
        Column("Memory", lambda r: format.size(r.rss_bytes) if r.rss_bytes else format.DASH, lambda r: r.rss_bytes,
               width=112, right=True),
        Column("Work/s", lambda r: format.compact(r.progress_rate) if r.pid else format.DASH,
               lambda r: r.progress_rate, width=92, right=True),
        Column("Progress", progress, lambda r: since(r.last_progress), width=76, right=True),
        Column("Restarts", lambda r: str(r.restarts), lambda r: r.restarts, width=66, right=True,
               tone=lambda r: "warning" if r.restarts else ""),
        Column("Last exit", lambda r: r.last_exit.removesuffix(" (exit code 0: done)") or format.DASH, width=90,
               tooltip=lambda r: r.last_exit),
    ]  # fmt: skip


def group_sums(group: str, rows: list[ProcessRow]) -> list[str]:
    running = sum(process.state == "RUNNING" for process in rows)
    cpu, memory = sum(process.cpu_percent for process in rows), sum(process.rss_bytes for process in rows)
    restarts = sum(process.restarts for process in rows)
    return [
        group, f"{running} of {len(rows)} running", "", "", f"{cpu:.0f}", format.size(memory) if memory else format.DASH,
        "", "", str(restarts), "",
    ]  # fmt: skip
