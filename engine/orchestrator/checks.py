"""Looks that nobody asked for: every half minute at what is held and at how the parts are; each finding is told once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

import msgspec

from engine.domain.events import Severity
from engine.risk.limits import Limits
from engine.views import HealthRow

Tell = Callable[[str, str, str, Severity], None]
"""(component, message, remedy, severity)"""

REMEDIES = {
    "feed": "Prices are old: orders are blocked until they are fresh. See the feed under Processes.",
    "broker": "Orders may not reach the venue. Paddock keeps trying; check the network and the venue's status page.",
    "hub": "Bots and feed cannot talk. See the hub under Processes.",
    "backup": "Free space or name another folder under [backup]; see the alert under Errors & Alerts.",
    "processes": "See under Processes which one does not run, and its log.",
}


class Finding(msgspec.Struct, frozen=True):
    """`key` tells two looks apart that find the same."""

    key: str
    message: str
    remedy: str


def risks(values: Mapping[str, Decimal], equity: Decimal, limits: Limits) -> list[Finding]:
    """What is held beyond its limit. `values` are signed market values by symbol, in the account's currency.

    Orders are checked before they leave; prices move afterwards, and shares change hands at the venue's own site.
    """
    if equity <= 0:
        return []
    found = [
        Finding(
            f"position {symbol}",
            f"{symbol} is {abs(value) / equity:.1%} of equity; the limit is {limits.max_position_share:.1%}.",
            "Nothing is sold by itself: reduce it, or raise max_position_share.",
        )
        for symbol, value in values.items()
        if abs(value) > equity * Decimal(repr(limits.max_position_share))
    ]
    gross = sum((abs(value) for value in values.values()), Decimal(0))
    if gross > equity * Decimal(repr(limits.max_gross_exposure)):
        message = f"Gross exposure is {gross / equity:.1%} of equity; the limit is {limits.max_gross_exposure:.1%}."
        found.append(
            Finding("gross", message, "Nothing is sold by itself: reduce positions, or raise max_gross_exposure.")
        )
    return found


def ailments(rows: Iterable[HealthRow]) -> list[Finding]:
    """The parts that are bad."""
    return [
        Finding(row.part, f"{row.part} is not well: {row.detail}", REMEDIES.get(row.part, "See under Errors & Alerts."))
        for row in rows
        if row.state == "bad"
    ]


class Watch:
    """Tells a finding when it appears and when it has gone, and nothing in between."""

    def __init__(self, component: str, tell: Tell) -> None:
        self._component = component
        self._tell = tell
        self._standing: dict[str, Finding] = {}

    def look(self, findings: Iterable[Finding]) -> None:
        now = {finding.key: finding for finding in findings}
        for key, finding in now.items():
            if key not in self._standing:
                self._tell(self._component, finding.message, finding.remedy, Severity.WARNING)
        for key in self._standing.keys() - now.keys():
            self._tell(self._component, f"{key}: back within its limits", "", Severity.INFO)
        self._standing = now
