"""Processes: every child under its group, with its state and figures; start, stop and restart one, many or a group; for
the chosen one its figures of an hour, its log and its incidents.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QTabWidget

from console import format
from console.dialogs.stop_critical import stop_with_care
from console.models.grouped import GroupedModel
from console.panels.base import Panel
from console.panels.process_columns import columns, group_sums
from console.tasks import Tasks
from console.widgets.figures import Figures
from console.widgets.incidents import Incidents
from console.widgets.layout import button, card, label, row, splitter
from console.widgets.log_tail import LogTail
from console.widgets.process_head import ProcessHead
from console.widgets.scaling import Scaling
from console.widgets.tree import TreeView
from engine.control import EngineControl
from engine.views import ProcessRow, ProcessSample

SPARK_SAMPLES = 60
RESTING = {"STOPPED", "EXITED", "FATAL", "STUCK"}
Command = Callable[[Sequence[str]], Awaitable[None]]


class Processes(Panel):
    """`error_wanted` as the incidents' cards tell it."""

    error_wanted = Signal(str)
    title = "Processes"
    name = "processes"

    def __init__(self, control: EngineControl, tasks: Tasks) -> None:
        super().__init__(control, tasks)
        self._history: dict[str, list[ProcessSample]] = {}
        self._name = ""
        self._tree = self._make_tree()
        self._start = button("▶ Start", "processes.start", tooltip="Start the selected processes (Ctrl+Return)")
        self._stop = button("■ Stop", "processes.stop", tooltip="Stop the selected processes (Delete)")
        self._restart = button("⟳ Restart", "processes.restart", tooltip="Restart the selected processes (Ctrl+R)")
        self._all = button("Select all", "processes.all", "flat")
        self._totals = label("", "muted", "processes.totals")
        self._figures = Figures()
        self._log = LogTail(control)
        self._incidents = Incidents(self.views.incidents)
        self._incidents.error_wanted.connect(lambda fingerprint: self.error_wanted.emit(fingerprint))
        self._detail = QTabWidget()
        self._detail.setObjectName("processes.detail")
        self._detail.addTab(self._log, "Log")
        self._detail.addTab(self._incidents, "Incidents")
        self._scaling = Scaling(control, tasks)
        self._detail.addTab(self._scaling, "Scaling")
        self._detail.currentChanged.connect(lambda _: self._incidents.tick())
        self._head = ProcessHead()
        self._offer_commands()
        bar = row(self._start, self._stop, self._restart, self._all, None, self._totals)
        right = card(self._head, self._figures, self._detail, stretch=2)
        self.body.addWidget(
            splitter(card(bar, self._tree, stretch=1), right, sizes=[860, 460], name="processes.splitter")
        )
        self._choose(None)

    def refresh(self) -> None:
        self._tree.source.refresh()
        if self._tree.current_row() is None:
            self._tree.select_where(lambda process: True)
        self._log.refresh()
        self._incidents.refresh()
        self._scaling.refresh()

    def tick(self) -> None:
        rows = list(self.views.processes)
        self._history = {process.name: self.control.process_history(process.name) for process in rows}
        self._tree.source.retext()
        self._tree.refresh_sparks()
        running = sum(process.state == "RUNNING" for process in rows)
        failed = sum(process.state in {"FATAL", "STUCK", "BACKOFF"} for process in rows)
        cpu, memory = sum(p.cpu_percent for p in rows), sum(p.rss_bytes for p in rows)
        self._totals.setText(f"{running} running · {failed} failed · CPU {cpu:.0f} % · {format.size(memory)}")
        self._head.show_process(self._tree.current_row())
        self._show_figures()
        if self._incidents.isVisible():
            self._incidents.tick()
        self._scaling.tick()
        self._enable()

    def restyle(self) -> None:
        self._tree.source.restyle()
        self._log.restyle()
        self._figures.update()
        self._incidents.restyle()

    def _make_tree(self) -> TreeView:
        def spark(figure: Callable[[ProcessSample], float]) -> Callable[[ProcessRow], list[float]]:
            return lambda process: [figure(s) for s in self._history.get(process.name, ())[-SPARK_SAMPLES:]]

        sparks = {
            "CPU %": spark(lambda s: s.cpu_percent),
            "Memory": spark(lambda s: float(s.rss_bytes)),
            "Work/s": spark(lambda s: s.rate),
        }
        model = GroupedModel(self.views.processes, columns(), lambda r: r.group, group_sums, sparks)
        return TreeView(model, "processes.table", "Processes appear when the engine starts.")

    def _offer_commands(self) -> None:
        commands = (
            (self._start, "Start", self.control.start_processes, "Ctrl+Return"),
            (self._stop, "Stop", self.control.stop_processes, "Del"),
            (self._restart, "Restart", self.control.restart_processes, "Ctrl+R"),
        )
        for one, title, command, keys in commands:
            one.clicked.connect(
                lambda _=False, title=title, command=command: self._run(title, command, self._tree.rows())
            )
            QShortcut(QKeySequence(keys), self._tree, one.click)
            act = lambda rows, title=title, command=command: self._run(title, command, rows)  # noqa: E731
            self._tree.menu_actions.append((title, act))
        self._all.clicked.connect(self._tree.selectAll)
        self._tree.selected.connect(self._choose)

    def _choose(self, process: ProcessRow | None) -> None:
        self._name = process.name if process is not None else ""
        self._head.show_process(process)
        self._log.follow(self._name)
        self._incidents.only(self._name)
        self._show_figures()
        self._enable()

    def _show_figures(self) -> None:
        self._figures.show_samples(self._history.get(self._name, ()))
        count = self._incidents.count()
        self._detail.setTabText(1, f"Incidents {count}" if count else "Incidents")

    def _enable(self) -> None:
        rows = self._tree.rows()
        self._start.setEnabled(any(process.state in RESTING for process in rows))
        self._stop.setEnabled(any(process.state not in RESTING for process in rows))
        self._restart.setEnabled(bool(rows))

    def _run(self, title: str, command: Command, rows: Sequence[ProcessRow]) -> None:
        names = [process.name for process in rows]

        async def work() -> None:
            await command(names)

        def go() -> None:
            self.tasks.spawn(work(), f"{title.lower()} {', '.join(names)}")

        if names and title == "Start":
            go()
        elif names:
            stop_with_care(self, self.views, rows, go)
