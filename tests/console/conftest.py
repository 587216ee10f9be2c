"""Qt without a screen, and an event loop that is Qt's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import qasync
from PySide6.QtCore import QCoreApplication, QEvent, QSettings
from PySide6.QtWidgets import QApplication

from console.theme import apply_theme, load_fonts
from console.window import Window

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(autouse=True)
def no_widget_stays(qapp: QApplication) -> Iterator[None]:
    """Destroys, after all else, every window and panel that the test left.

    Without a running loop Qt never carries out a deleteLater(). A window that lives on repaints, is styled again and hears
    every event of the tests after it, until Python collects it in the middle of one of them. Menus without a parent are
    left alone: pyqtgraph's plots own them.
    """
    yield
    for widget in qapp.topLevelWidgets():
        if type(widget).__module__.startswith("console."):
            widget.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def run(qapp: QApplication) -> Iterator[Run]:
    """Runs a coroutine on a Qt loop, as the console does."""
    loop = qasync.QEventLoop(qapp)
    asyncio.set_event_loop(loop)
    try:
        yield loop.run_until_complete
    finally:
        loop.close()
        asyncio.set_event_loop(None)


@pytest.fixture
def store(tmp_path: Path) -> QSettings:
    """What a window remembers."""
    return QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def window(qapp: QApplication, store: QSettings) -> Iterator[Window]:
    load_fonts()
    apply_theme(qapp, "dark")
    window = Window("demo", store)
    window.show()
    yield window
    window.leave()
