"""Why a process probably ended: named rules over what is known of its end; the first that fits wins."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable

import msgspec

from engine.processes.exits import CONFIGURATION, KEYS_REFUSED, UNAVAILABLE


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an end. `memory` in bytes, oldest first; `lines` of this life only."""

    exit_code: int | None
    """Negative for a signal; None when it is still there."""
    lines: str = ""
    memory: tuple[int, ...] = ()
    memory_limit: int = 0
    machine_memory: int = 0
    """Bytes that the machine has; 0 where unknown."""
    system_killed: int = 0
    """Processes that the system killed for want of memory since this one was last looked at."""
    hung: bool = False
    """We killed it, because it gave no sign or did not get on."""
    recycled: bool = False


class Cause(msgspec.Struct, frozen=True):
    name: str
    text: str
    remedy: str


NEARLY = 0.8
"""Share of a limit, or of the machine's memory, from which on memory is the suspect."""

OUT_OF_MEMORY = Cause(
    "out of memory", "It ran out of memory.", "Give it fewer symbols or a higher limit, or close other programs."
)
DISK_FULL = Cause("disk full", "The disk is full.", "Free room on the disk of the data folder; then it starts again.")
BAD_CONFIGURATION = Cause(
    "configuration", "Something in its configuration is wrong.", "Read its last lines, correct the setting, start it."
)
KEYS = Cause("keys refused", "The venue refused the API keys.", "Check the key pair in the settings, then start it.")
NO_HUB = Cause(
    "hub unreachable", "It could not reach the hub or a service it needs.", "See whether the hub runs, then its log."
)
ASSERTION = Cause("assertion", "A check inside the program failed.", "Report it with the last lines below.")
HANG = Cause(
    "hang", "It lived but did not get on with its work.", "The stacks below show where; report them if it repeats."
)
LIMIT = Cause(
    "limit reached", "It used more than its limit allows.", "If this repeats, raise the limit or give it less to do."
)
NATIVE_CRASH = Cause(
    "crash in native code", "A library it uses crashed.", "The stacks below show where; report them if it repeats."
)
BY_HAND = Cause("killed by a person", "Somebody or another program killed it.", "Nothing to mend if it was you.")

_MEMORY = re.compile(r"MemoryError|Cannot allocate memory|std::bad_alloc|OutOfMemory", re.IGNORECASE)
_DISK = re.compile(r"No space left on device|database or disk is full|Disk quota exceeded", re.IGNORECASE)
_KEYS = re.compile(r"\b401\b.*(key|auth)|keys? (was|were )?refused|not authori[sz]ed|auth failed", re.IGNORECASE)
_HUB = re.compile(r"hub.*(cannot|not reach|refused|unreachable|unavailable)|Connection refused", re.IGNORECASE)
_ASSERTION = re.compile(r"^(?:\w+\.)*AssertionError\b|Assertion .* failed", re.MULTILINE)


def _codes(*names: str) -> frozenset[int]:
    """Exit codes of signals; Windows knows few of them."""
    return frozenset(-number for name in names if (number := getattr(signal, name, None)) is not None)


_NATIVE = _codes("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT")
_KILLED = _codes("SIGKILL")
_BY_HAND = _KILLED | _codes("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")


def out_of_memory(evidence: Evidence) -> bool:
    """It says so, the system says so, or it was killed while it used nearly all that it may."""
    if _MEMORY.search(evidence.lines) or (evidence.exit_code in _KILLED and evidence.system_killed):
        return True
    ceilings = [ceiling for ceiling in (evidence.memory_limit, evidence.machine_memory) if ceiling]
    peak = max(evidence.memory, default=0)
    return evidence.exit_code in _KILLED and any(peak >= NEARLY * ceiling for ceiling in ceilings)


def keys_refused(evidence: Evidence) -> bool:
    return evidence.exit_code == KEYS_REFUSED or bool(_KEYS.search(evidence.lines))


def hub_unreachable(evidence: Evidence) -> bool:
    return evidence.exit_code == UNAVAILABLE or bool(_HUB.search(evidence.lines))


RULES: tuple[tuple[Callable[[Evidence], bool], Cause], ...] = (
    (lambda evidence: evidence.recycled, LIMIT),
    (lambda evidence: evidence.hung, HANG),
    (out_of_memory, OUT_OF_MEMORY),
    (lambda evidence: bool(_DISK.search(evidence.lines)), DISK_FULL),
    (lambda evidence: evidence.exit_code == CONFIGURATION, BAD_CONFIGURATION),
    (keys_refused, KEYS),
    (lambda evidence: bool(_ASSERTION.search(evidence.lines)), ASSERTION),
    (hub_unreachable, NO_HUB),
    (lambda evidence: evidence.exit_code in _NATIVE, NATIVE_CRASH),
    (lambda evidence: evidence.exit_code in _BY_HAND, BY_HAND),
)


def probable_cause(evidence: Evidence) -> Cause | None:
    return next((cause for fits, cause in RULES if fits(evidence)), None)
