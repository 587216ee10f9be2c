"""Times as text: RFC 3339, as venues write it, to int nanoseconds UTC."""

from __future__ import annotations

from datetime import UTC, datetime

NANOSECONDS = 1_000_000_000


def parse_rfc3339(text: str) -> int:
    """Nanoseconds are kept; a time without a zone is UTC. Raises ValueError for what is no time."""
    head, dot, tail = text.partition(".")
    fraction = 0
    if dot:
        digits = tail
        zone = ""
        for index, character in enumerate(tail):
            if not character.isdigit():
                digits, zone = tail[:index], tail[index:]
                break
        fraction = int(digits[:9].ljust(9, "0"))
        head += zone
    moment = datetime.fromisoformat(head)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * NANOSECONDS + fraction


def format_rfc3339(timestamp: int) -> str:
    """With microseconds, which every venue accepts."""
    moment = datetime.fromtimestamp(timestamp // NANOSECONDS, UTC)
    return moment.replace(microsecond=timestamp % NANOSECONDS // 1000).isoformat()
