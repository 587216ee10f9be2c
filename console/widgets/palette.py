"""The command palette: every command of the menus and every symbol, found by a few letters and Return."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QFrame, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from console.theme import SPACE, tokens
from console.widgets.layout import label, row

WIDTH, HEIGHT = 520, 380
MOST = 50


@dataclass(frozen=True)
class Command:
    """`group` is where the menus have it; `hint` its keys."""

    title: str
    group: str
    act: Callable[[], object]
    hint: str = ""

    @property
    def text(self) -> str:
        return f"{self.group} {self.title}".casefold()


def find(commands: Iterable[Command], words: str) -> list[Command]:
    """Those that hold every word, at most MOST; titles that begin with the first word come first."""
    wanted = words.casefold().split()
    found = [command for command in commands if all(word in command.text for word in wanted)]
    if wanted:
        found.sort(key=lambda command: not command.title.casefold().startswith(wanted[0]))
    return found[:MOST]


class Palette(QDialog):
    """Opened by `open()`. What is chosen runs after it has closed."""

    def __init__(self, parent: QWidget, commands: list[Command]) -> None:
        super().__init__(parent, Qt.WindowType.FramelessWindowHint | Qt.WindowType.Popup)
        self.setObjectName("palette")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFixedSize(WIDTH, HEIGHT)
        self._commands = commands
        self._shown: list[Command] = []
        self._search = QLineEdit()
        self._search.setObjectName("palette.search")
        self._search.setPlaceholderText("A command or a symbol")
        self._search.setAccessibleName("search commands and symbols")
        self._search.textChanged.connect(self._narrow)
        self._search.returnPressed.connect(self.run)
        self._search.installEventFilter(self)
        self._list = QListWidget()
        self._list.setObjectName("palette.list")
        self._list.setAccessibleName("commands found")
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._list.itemClicked.connect(lambda _: self.run())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE, SPACE, SPACE, SPACE)
        layout.addWidget(self._search)
        layout.addWidget(self._list, 1)
        self._list.setFrameShape(QFrame.Shape.NoFrame)
        self.setStyleSheet(
            f"#palette {{ background: {tokens().raised}; border: 1px solid {tokens().border}; border-radius: 6px; }}"
            f"#palette QListWidget {{ background: {tokens().raised}; }}"
        )
        self._place(parent)
        self._narrow("")

    def run(self) -> None:
        position = self._list.currentRow()
        if not 0 <= position < len(self._shown):
            return
        command = self._shown[position]
        self.accept()
        command.act()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The arrows move through the list while the letters go into the search field."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step is not None and self._shown:
                self._list.setCurrentRow((self._list.currentRow() + step) % len(self._shown))
                return True
        return False

    def _narrow(self, words: str) -> None:
        self._shown = find(self._commands, words)
        self._list.clear()
        for command in self._shown:
            item = QListWidgetItem()
            line = row(label(command.title), None, label(command.hint or command.group, "muted"), margin=4)
            item.setSizeHint(line.sizeHint())
            self._list.addItem(item)
            self._list.setItemWidget(item, line)
        self._list.setCurrentRow(0)

    def _place(self, parent: QWidget) -> None:
        window = parent.window()
        self.move(
            window.mapToGlobal(window.rect().center()).x() - WIDTH // 2, window.mapToGlobal(window.pos()).y() + 80
        )
