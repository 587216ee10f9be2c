"""The error book: warnings and errors of every process, grouped by what they say, with one row for each group.

Two reports are one group when component, category and text agree after ids, numbers and paths are taken out of the text.
"""

from __future__ import annotations

import hashlib
import re

import msgspec

from engine.clock import Clock
from engine.domain.events import Severity
from engine.tables import Table
from engine.views import ErrorRow

MAX_DETAIL = 8_000
MAX_MESSAGE = 1_000

_VARIABLE = re.compile(
    r"0x[0-9a-fA-F]+"
    r"|\b[0-9A-HJKMNP-TV-Z]{26}\b"  # ULID
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}\b"  # UUID
    r"|(?:/[\w.+-]+){2,}"  # path
    r"|\d+(?:[.,:]\d+)*"
)
_ORDER = {Severity.INFO: 0, Severity.WARNING: 1, Severity.ERROR: 2, Severity.CRITICAL: 3}


def fingerprint(component: str, category: str, message: str) -> str:
    text = _VARIABLE.sub("#", message.strip().splitlines()[0] if message.strip() else "")
    return hashlib.sha256(f"{component}|{category}|{text}".encode()).hexdigest()[:16]


class ErrorBook:
    """Writes `Views.errors`. A resolved group that comes back is marked regressed; a muted one only counts."""

    def __init__(self, table: Table[ErrorRow], clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def record(
        self,
        component: str,
        message: str,
        *,
        severity: Severity = Severity.ERROR,
        category: str = "system",
        remedy: str = "",
        detail: str = "",
    ) -> ErrorRow:
        now = self._clock.now()
        message = message.strip()[:MAX_MESSAGE]
        key = fingerprint(component, category, message)
        known = self._table.get(key)
        row = ErrorRow(
            fingerprint=key,
            severity=severity,
            category=category,
            component=component,
            message=message,
            remedy=remedy or (known.remedy if known else ""),
            count=1 + (known.count if known else 0),
            first_seen=known.first_seen if known else now,
            last_seen=now,
            detail=detail[-MAX_DETAIL:] or (known.detail if known else ""),
            state=_next_state(known),
        )
        if known is not None and _ORDER[known.severity] > _ORDER[severity]:
            row.severity = known.severity
        self._table.put(key, row)
        return row

    def resolve(self, key: str) -> None:
        self._mark(key, "resolved")

    def mute(self, key: str) -> None:
        """Muting a muted group lets it speak again."""
        known = self._table.get(key)
        self._mark(key, "open" if known is not None and known.state == "muted" else "muted")

    def _mark(self, key: str, state: str) -> None:
        known = self._table.get(key)
        if known is not None:
            self._table.put(key, msgspec.structs.replace(known, state=state))

    def worst(self) -> Severity | None:
        """Of the groups that are open or regressed; None when there are none."""
        found = [row.severity for row in self._table if row.state in {"open", "regressed"}]
        return max(found, key=_ORDER.__getitem__, default=None)


def _next_state(known: ErrorRow | None) -> str:
    if known is None:
        return "open"
    return "regressed" if known.state == "resolved" else known.state
