"""Collect garbage in the window's thread only.

Python's collector runs in whichever thread allocates. When that is a worker thread and the garbage holds a QObject with
a running timer, Qt cannot take the timer off the window's event dispatcher; the next tick calls into freed memory and
the process dies. So the automatic collector is off, and a timer of the window's thread does its work by its rules.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

EVERY_MS = 250


class Collector(QObject):
    """Lives as long as its parent; made in the window's thread, before any other thread starts."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        gc.disable()
        self._thresholds = gc.get_threshold()
        timer = QTimer(self)
        timer.timeout.connect(self._collect)
        timer.start(EVERY_MS)

    def spare_the_living(self) -> None:
        """What lives now mostly stays (modules, panels): leave it out of later passes, which would stall the window.

        No whole pass before: it takes over a tenth of a second, and after a start it finds next to nothing.
        """
        gc.collect(1)
        gc.freeze()

    def _collect(self) -> None:
        """The oldest generation whose count is over its threshold, as CPython does it."""
        counts = gc.get_count()
        for generation in (2, 1, 0):
            if counts[generation] > self._thresholds[generation]:
                gc.collect(generation)
                return
