"""What is counted over many days, kept in a file so that a long run survives its end."""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path

import msgspec

from tests.faults.day import Result
from tests.faults.plan import Fault

SAVE_EVERY = 10.0
"""Seconds."""
DECIDE = (
    "tests.faults.", "engine.broker.", "engine.bus.", "engine.clock", "engine.domain.", "engine.exchange.",
    "engine.execution.", "engine.orchestrator.schedule", "engine.portfolio.", "engine.risk.", "engine.storage.",
)  # fmt: skip
"""Beginnings of the modules' names; what else is imported shows or configures."""


class Tally(msgspec.Struct):
    """Of how many days; `struck` and `done` count the days in which a fault struck or somebody did something."""

    days: int = 0
    wrong: int = 0
    counts: dict[str, int] = {}
    struck: dict[str, int] = {}
    done: dict[str, int] = {}

    def add(self, result: Result) -> None:
        self.days += 1
        self.wrong += bool(result.problems)
        for name in ("orders", "fills", "lives"):
            self.counts[name] = self.counts.get(name, 0) + getattr(result, name)
        for counts, names in ((self.struck, result.fired), (self.done, result.deeds)):
            for name in names:
                counts[name] = counts.get(name, 0) + 1

    def summary(self) -> dict[str, object]:
        return {
            "days": self.days,
            "wrong": self.wrong,
            **self.counts,
            "share of days in which it struck": {
                fault.value: self._share(self.struck.get(fault, 0)) for fault in Fault
            },
            "share of days in which it was done": {deed: self._share(days) for deed, days in self.done.items()},
        }

    def _share(self, days: int) -> float:
        return round(days / max(self.days, 1), 3)


class File(msgspec.Struct):
    code: str
    first: int
    tally: Tally


class Kept:
    """A tally and its file; `path` None keeps it nowhere. Raises SystemExit for a file that belongs to another run."""

    def __init__(self, path: Path | None, first: int) -> None:
        self.tally = Tally()
        self._path = path
        self._code = code() if path is not None else ""
        self._first = first
        self._saved = time.monotonic()
        if path is not None and path.exists():
            found = msgspec.json.decode(path.read_bytes(), type=File)
            if (found.code, found.first) != (self._code, first):
                raise SystemExit(f"{path} counts other days, or those of another engine: name another file.")
            self.tally = found.tally

    def save_sometimes(self) -> None:
        if time.monotonic() - self._saved > SAVE_EVERY:
            self.save()

    def save(self) -> None:
        if self._path is not None:
            self._saved = time.monotonic()
            new = self._path.with_suffix(".new")
            new.write_bytes(msgspec.json.encode(File(self._code, self._first, self.tally)))
            new.replace(self._path)


def code() -> str:
    """A digest of every source file of ours that decides how a day goes."""
    digest = hashlib.sha256()
    for name, module in sorted(sys.modules.items()):
        if name.startswith(DECIDE) and module.__file__ is not None:
            digest.update(f"{name}\0".encode() + Path(module.__file__).read_bytes())
    return digest.hexdigest()
