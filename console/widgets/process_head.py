"""Who the chosen process is: its name, what it says of itself, what it uses beside the figures drawn below, its limits."""

from __future__ import annotations

from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QVBoxLayout

from console import format
from console.widgets.layout import label, set_tone
from engine.views import ProcessRow


class ProcessHead(QFrame):
    def __init__(self) -> None:
        super().__init__()
        self._name = label("", "heading", "processes.chosen")
        self._says = _wrapped("processes.chosen.says")
        self._facts = _wrapped("processes.chosen.facts")
        self._warning = _wrapped("processes.chosen.warning")
        set_tone(self._warning, "warning")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for line in (self._name, self._says, self._facts, self._warning):
            layout.addWidget(line)

    def show_process(self, process: ProcessRow | None) -> None:
        self._name.setText(process.name if process is not None else "No process is chosen")
        for line, text in (
            (self._says, _says(process) if process is not None else ""),
            (self._facts, _facts(process) if process is not None else ""),
            (self._warning, _warning(process) if process is not None else ""),
        ):
            line.setText(text)
            line.setVisible(bool(text))


def _wrapped(name: str) -> QLabel:
    """A label that never makes the panel wider."""
    found = label("", "muted", name)
    found.setWordWrap(True)
    found.setMinimumWidth(10)
    found.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return found


def _says(process: ProcessRow) -> str:
    if process.pid:
        return process.detail
    rests = "It was given up; start it when its cause is mended." if process.state == "FATAL" else "It does not run."
    return f"{rests} Its last end: {process.last_exit}." if process.last_exit else rests


def _facts(process: ProcessRow) -> str:
    facts = ["critical: trading may only reduce when it is given up"] if process.critical else []
    if process.pid:
        facts.append(f"{process.threads} threads, {process.open_files} open files")
        facts.append(f"{format.compact(process.context_switches)} switches/s")
    if process.state != "FATAL":
        facts.append(_restarts(process.restarts_left))
    return " · ".join(facts)


def _restarts(left: int) -> str:
    return f"{left} restart{'s' * (left != 1)} left before it is given up" if left else "the next crash is the last"


def _warning(process: ProcessRow) -> str:
    return f"▲ {process.warning}; at the limit it is restarted" if process.warning else ""
