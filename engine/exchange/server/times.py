"""Times, numbers and lists as they come in a query string. Each raises Refusal for text it cannot read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime

from engine.domain.market import NANOSECONDS
from engine.exchange.refusals import invalid

_FRACTION = re.compile(r"\.(\d{1,9})\d*")
_LATEST = 4_000_000_000
_FIRST_YEAR, _LAST_YEAR = 1970, 2096


def parse_time(text: str, name: str) -> int:
    """RFC 3339 or a date, as nanoseconds UTC. A time without a zone is UTC."""
    if len(text) > 64:
        raise invalid(f"{name} is not a valid time")
    found = _FRACTION.search(text)
    fraction = int(found[1].ljust(9, "0")) if found else 0
    # A plus sign in a query is a space by the time it is read.
    plain = _FRACTION.sub("", text.strip(), count=1).replace(" ", "+" if "T" in text else " ")
    try:
        moment = datetime.fromisoformat(plain)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = int(moment.timestamp())
    except (ValueError, OverflowError) as error:
        raise invalid(f"{name} is not a valid time") from error
    if not 0 <= seconds <= _LATEST:
        raise invalid(f"{name} is out of range")
    return seconds * NANOSECONDS + fraction


def query_time(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    return parse_time(text, name) if text else None


def query_date(query: Mapping[str, str], name: str, default: date) -> date:
    text = query.get(name)
    if not text:
        return default
    try:
        day = date.fromisoformat(text[:10])
    except ValueError as error:
        raise invalid(f"{name} is not a valid date") from error
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        raise invalid(f"{name} is out of range")
    return day


def query_integer(query: Mapping[str, str], name: str, default: int, smallest: int, largest: int) -> int:
    text = query.get(name)
    if not text:
        return default
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not smallest <= int(text) <= largest:
        raise invalid(f"{name} must be between {smallest} and {largest}")
    return int(text)


def query_word(query: Mapping[str, str], name: str, default: str, words: tuple[str, ...]) -> str:
    text = query.get(name, "").lower() or default
    if text not in words:
        raise invalid(f"{name} must be one of {', '.join(words)}")
    return text


def query_flag(query: Mapping[str, str], name: str) -> bool:
    return query_word(query, name, "false", ("true", "false", "1", "0")) in ("true", "1")


def query_list(query: Mapping[str, str], name: str, largest: int = 12_000) -> list[str]:
    names = [part.strip() for part in query.get(name, "").split(",")]
    found = [part for part in dict.fromkeys(names) if part]
    if len(found) > largest:
        raise invalid(f"{name} has more than {largest} entries")
    return found
