"""Exit codes: the reserved ones of sysexits.h, what they mean, and which of them no restart mends."""

from __future__ import annotations

import contextlib
import signal

CONFIGURATION = 64
DATA = 65
UNAVAILABLE = 69
ALREADY_RUNNING = 75
KEYS_REFUSED = 77
_MEANINGS = {
    0: "done",
    CONFIGURATION: "configuration",
    DATA: "data",
    UNAVAILABLE: "unavailable",
    ALREADY_RUNNING: "already running",
    KEYS_REFUSED: "keys refused",
}


def in_words(code: int) -> str:
    """An exit code as a person says it."""
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
        return f"killed by signal {-code}"
    meaning = _MEANINGS.get(code)
    return f"exit code {code}: {meaning}" if meaning else f"exit code {code}"


def is_hopeless(code: int) -> bool:
    """Whether a restart cannot mend it."""
    return 64 <= code <= 78
