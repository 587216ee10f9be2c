"""What a panel is: a tab that is refreshed while it is in sight, quickly for what moves and slowly for what ages."""

from __future__ import annotations

from PySide6.QtWidgets import QVBoxLayout, QWidget

from console.tasks import Tasks
from console.theme import SPACE
from engine.control import EngineControl


class Panel(QWidget):
    title = ""
    name = ""
    """Of its screenshot, and the beginning of its widgets' object names."""

    def __init__(self, control: EngineControl, tasks: Tasks, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.control = control
        self.views = control.views
        self.tasks = tasks
        self.setObjectName(self.name)
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(SPACE, SPACE, SPACE, SPACE)
        self.body.setSpacing(SPACE)

    def refresh(self) -> None:
        """Some fifteen times a second, while it is in sight."""

    def tick(self) -> None:
        """Once a second, while it is in sight."""

    def restyle(self) -> None:
        """The theme has changed."""
