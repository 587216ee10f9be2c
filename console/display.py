"""Whether there is a screen to open a window on; asked before Qt is loaded, which would end the process instead."""

from __future__ import annotations

import os
import sys

from engine.domain.errors import UnavailableError


def require_display() -> None:
    """Raises UnavailableError naming what works without one."""
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM"):
        return
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise UnavailableError(
            "There is no display to open a window on.",
            "Run `paddock headless` for the engine without a window, or connect with a display (ssh -X, a desktop).",
        )
