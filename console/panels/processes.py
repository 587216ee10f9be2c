"""Processes: every child with its state and figures; start, stop and restart one or many; the log of the chosen one."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from PySide6.QtWidgets import QPushButton

from console import format
from console.models.table import Column, TableModel
from console.panels.base import Panel
from console.tasks import Tasks
from console.widgets.layout import button, card, label, row, splitter
from console.widgets.log_tail import LogTail
from console.widgets.table import TableView
from engine.control import EngineControl
from engine.views import ProcessRow

STATES = {
    "RUNNING": ("●", "good"), "STARTING": ("◐", "warning"), "BACKOFF": ("▲", "warning"), "STOPPED": ("■", "muted"),
    "EXITED": ("■", "muted"), "FATAL": ("✕", "bad"), "STUCK": ("✕", "bad"), "UNRESPONSIVE": ("▲", "bad"),
    "STOPPING": ("◐", "warning"), "KILLING": ("◐", "bad"),
}  # fmt: skip


class Processes(Panel):
    title = "Processes"
    name = "processes"

    def __init__(self, control: EngineControl, tasks: Tasks) -> None:
        super().__init__(control, tasks)
        self._start = button("▶ Start", "processes.start", tooltip="Start the selected processes")
        self._stop = button("■ Stop", "processes.stop", tooltip="Stop the selected processes")
        self._restart = button("⟳ Restart", "processes.restart", tooltip="Restart the selected processes")
        self._all = button("Select all", "processes.all", "flat")
        self._totals = label("", "muted", "processes.totals")
        commands = (
            (self._start, control.start_processes), (self._stop, control.stop_processes),
            (self._restart, control.restart_processes),
        )  # fmt: skip
        for one, command in commands:
            one.clicked.connect(lambda _=False, one=one, command=command: self._command(one, command))
        self._table = TableView(
            TableModel(self.views.processes, _columns()), "processes.table", "Processes appear when the engine starts."
        )
        self._table.menu_actions = [
            ("Start", lambda rows: self._run("start", control.start_processes, rows)),
            ("Stop", lambda rows: self._run("stop", control.stop_processes, rows)),
            ("Restart", lambda rows: self._run("restart", control.restart_processes, rows)),
        ]
        self._all.clicked.connect(self._table.selectAll)
        self._table.selected.connect(self._choose)
        self._log = LogTail(control)
        bar = row(self._start, self._stop, self._restart, self._all, None, self._totals)
        self.body.addWidget(
            splitter(card(bar, self._table, stretch=1), self._log, sizes=[820, 460], name="processes.splitter")
        )
        self._choose(None)

    def refresh(self) -> None:
        self._table.source.refresh()
        if self._table.current_row() is None:
            self._table.select_where(lambda process: True)
        self._log.refresh()

    def tick(self) -> None:
        self._table.source.retext()
        rows = list(self.views.processes)
        running = sum(process.state == "RUNNING" for process in rows)
        failed = sum(process.state in {"FATAL", "STUCK", "BACKOFF"} for process in rows)
        cpu, memory = sum(p.cpu_percent for p in rows), sum(p.rss_bytes for p in rows)
        self._totals.setText(f"{running} running · {failed} failed · CPU {cpu:.0f} % · {format.size(memory)}")
        self._enable()

    def restyle(self) -> None:
        self._log.restyle()

    def _choose(self, process: ProcessRow | None) -> None:
        self._log.follow(process.name if process is not None else "")
        self._enable()

    def _enable(self) -> None:
        rows = self._table.rows()
        resting = {"STOPPED", "EXITED", "FATAL", "STUCK"}
        self._start.setEnabled(any(process.state in resting for process in rows))
        self._stop.setEnabled(any(process.state not in resting for process in rows))
        self._restart.setEnabled(bool(rows))

    def _command(self, one: QPushButton, command: Callable[[Sequence[str]], Awaitable[None]]) -> None:
        self._run(one.text(), command, self._table.rows())

    def _run(self, name: str, command: Callable[[Sequence[str]], Awaitable[None]], rows: Sequence[ProcessRow]) -> None:
        names = [process.name for process in rows]

        async def work() -> None:
            await command(names)

        if names:
            self.tasks.spawn(work(), f"{name} {', '.join(names)}")


def _columns() -> list[Column[ProcessRow]]:
    def state(process: ProcessRow) -> str:
        return f"{STATES.get(process.state, ('○', ''))[0]} {process.state}"

    def uptime(process: ProcessRow) -> float:
        return time.monotonic() - process.started_at if process.started_at else -1.0

    def rate(process: ProcessRow) -> str:
        return f"{process.progress_rate:,.0f}" if process.pid else format.DASH

    return [
        Column("Name", lambda r: r.name, width=110, tooltip=lambda r: r.detail or r.name),
        Column("State", state, width=116, tone=lambda r: STATES.get(r.state, ("", "muted"))[1]),
        Column("PID", lambda r: str(r.pid) if r.pid else format.DASH, lambda r: r.pid, width=60, right=True),
        Column("Up", lambda r: format.duration(uptime(r)) if r.started_at else format.DASH, uptime, width=80, right=True),
        Column("CPU %", lambda r: f"{r.cpu_percent:.0f}" if r.pid else format.DASH, lambda r: r.cpu_percent,
               width=56, right=True),
        Column("Memory", lambda r: format.size(r.rss_bytes) if r.rss_bytes else format.DASH, lambda r: r.rss_bytes,
               width=68, right=True),
        Column("Work/s", rate, lambda r: r.progress_rate, width=60, right=True),
        Column("Restarts", lambda r: str(r.restarts), lambda r: r.restarts, width=66, right=True,
               tone=lambda r: "warning" if r.restarts else ""),
        Column("Group", lambda r: r.group, width=84),
        Column("Last exit", lambda r: r.last_exit or format.DASH, width=72),
    ]  # fmt: skip
