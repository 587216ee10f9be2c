"""The frame: menus, tabs, status bar, emergency stop. It is painted before the panels are loaded, to be there at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSettings, Qt, Signal
from PySide6.QtGui import QAction, QCloseEvent, QKeySequence, QPaintEvent
from PySide6.QtWidgets import QLabel, QMainWindow, QMenu, QTabWidget, QVBoxLayout, QWidget

from console.statusbar import StatusBar
from console.theme import apply_theme, tokens
from console.widgets.cover import Cover
from console.widgets.layout import button, label, row
from console.widgets.notices import Notices
from console.widgets.stop_button import StopButton
from engine.domain.shown_times import Times, show_times

SETTLE = 1.5
"""Seconds that a tab is shown before its picture is taken: a chart waits for its history."""

TABS = ("Overview", "Trading", "Processes", "AI Bots", "Errors && Alerts", "Backtests")


@dataclass(frozen=True)
class Action:
    """A command of the menus; `name` is the object name that tests and scripts find it by."""

    menu: str
    title: str
    name: str
    act: Callable[[], object]
    shortcut: str = ""


class Window(QMainWindow):
    """`closing` is emitted when the person wants to leave; the application then stops the engine and calls `leave`."""

    closing = Signal()
    first_painted = Signal()
    theme_changed = Signal()
    times_changed = Signal()

    def __init__(self, environment: str, store: QSettings, remember: bool = True) -> None:
        """`remember` restores the place on the screen; pictures are taken at the standard size instead."""
        super().__init__()
        self.environment = environment
        self.store = store
        self._painted = False
        self._leaving = False
        self.remembers = remember
        self.setObjectName("window")
        self.setWindowTitle(f"Paddock – {environment.upper()}")
        self.setMinimumSize(1100, 680)
        self.resize(1440, 900)
        self.tabs = QTabWidget()
        self.tabs.setObjectName("main")
        self.tabs.setDocumentMode(True)
        for title in TABS:
            self.tabs.addTab(_placeholder(), title)
        self.status = StatusBar()
        self.stop_button = StopButton()
        self.stop_button.setEnabled(False)
        self._menus: dict[str, QMenu] = {}
        frame = QWidget()
        layout = QVBoxLayout(frame)
        edge = 3 if environment == "live" else 0
        layout.setContentsMargins(edge, edge, edge, edge)
        layout.addWidget(self.tabs)
        if edge:
            frame.setStyleSheet(f"#live {{ border: 3px solid {tokens().bad}; }}")
            frame.setObjectName("live")
        self.setCentralWidget(frame)
        self.setStatusBar(self.status)
        self.notices = Notices(self)
        self.cover = Cover(self)
        # PySide does not keep a corner widget alive by itself.
        self.search_button = button("Search…  Ctrl+K", "palette.open", "flat", "Find a command or a symbol")
        self._corner = row(self.search_button, self.stop_button, margin=2)
        self.menuBar().setCornerWidget(self._corner, Qt.Corner.TopRightCorner)
        self.status.restyle(environment)
        geometry = store.value("window/geometry")
        if geometry is not None and remember:
            self.restoreGeometry(geometry)

    def put_panel(self, position: int, panel: QWidget) -> None:
        """In the place of the placeholder; keeps the chosen tab."""
        current = self.tabs.currentIndex()
        title = self.tabs.tabText(position)
        old = self.tabs.widget(position)
        self.tabs.removeTab(position)
        self.tabs.insertTab(position, panel, title)
        self.tabs.setCurrentIndex(current)
        if old is not None:
            old.deleteLater()

    def add_actions(self, actions: list[Action]) -> None:
        for action in actions:
            menu = self._menu(action.menu)
            found = QAction(action.title, self)
            found.setObjectName(action.name)
            if action.shortcut:
                found.setShortcut(QKeySequence(action.shortcut))
            found.triggered.connect(lambda _=False, action=action: action.act())
            menu.addAction(found)

    def _menu(self, path: str) -> QMenu:
        """ "&File" or "&File/&Export report": made where it is not there."""
        if path not in self._menus:
            above, _, title = path.rpartition("/")
            self._menus[path] = self._menu(above).addMenu(title) if above else self.menuBar().addMenu(title)
        return self._menus[path]

    def set_theme(self, name: str) -> None:
        from PySide6.QtWidgets import QApplication

        app = QApplication.instance()
        assert isinstance(app, QApplication)
        apply_theme(app, name)
        self.store.setValue("theme", name)
        self.status.restyle(self.environment)
        self.theme_changed.emit()

    def set_times(self, times: Times) -> None:
        show_times(times)
        self.store.setValue("times", times.value)
        self.times_changed.emit()

    async def save_pictures(self, folder: Path) -> None:
        """One PNG for each tab, named after its panel, taken when it has had time to fill. Packed in a thread, because
        what the loop waits for is in the next picture.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for position in range(self.tabs.count()):
            self.tabs.setCurrentIndex(position)
            await asyncio.sleep(SETTLE)
            panel = self.tabs.currentWidget()
            if panel is not None:
                image = self.grab().toImage()
                await asyncio.to_thread(image.save, str(folder / f"{panel.objectName()}.png"))

    def leave(self) -> None:
        """Close for good."""
        self._leaving = True
        if self.remembers:
            self.store.setValue("window/geometry", self.saveGeometry())
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._leaving:
            event.accept()
            return
        # The engine must stop first; the application closes the window when it has.
        event.ignore()
        self.closing.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            self.first_painted.emit()


def _placeholder() -> QWidget:
    holder = QWidget()
    layout = QVBoxLayout(holder)
    text: QLabel = label("Starting…", "muted")
    text.setAlignment(Qt.AlignmentFlag.AlignCenter)
    layout.addWidget(text)
    return holder
