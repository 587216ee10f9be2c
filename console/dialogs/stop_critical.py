"""The question before a critical process is stopped while positions are open."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtWidgets import QMessageBox, QWidget

from engine.views import ProcessRow, Views


def stop_with_care(parent: QWidget, views: Views, rows: Iterable[ProcessRow], stop: Callable[[], object]) -> None:
    """Stop at once where nothing is at stake; otherwise ask first, with Cancel as the answer of a hasty hand."""
    critical = [row.name for row in rows if row.critical and row.pid]
    held = sum(1 for row in views.positions if row.quantity)
    if not critical or not held:
        stop()
        return
    box = QMessageBox(parent)
    box.setObjectName("processes.stop_critical")
    box.setIcon(QMessageBox.Icon.Warning)
    box.setWindowTitle("Stop a critical process?")
    box.setText(f"{held} position{'s are' if held > 1 else ' is'} open and {', '.join(critical)} will stop.")
    box.setInformativeText(
        "Prices or orders stop with it, and until it runs again only orders that reduce may pass. "
        "To leave the market first, use the emergency stop."
    )
    cancel = box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
    anyway = box.addButton("Stop anyway", QMessageBox.ButtonRole.DestructiveRole)
    anyway.setObjectName("processes.stop_anyway")
    box.setDefaultButton(cancel)
    box.buttonClicked.connect(lambda pressed: stop() if pressed is anyway else None)
    box.open()
