"""Pages of history over many symbols: sorted by symbol, then by time; `limit` is the total, and a token goes on."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from engine.exchange.refusals import malformed
from engine.exchange.server.times import query_integer, query_time, query_word
from engine.exchange.sessions import midnight
from engine.exchange.tape import SymbolTape

DEFAULT_LIMIT, MAX_LIMIT = 1000, 10_000

Row = tuple[int, dict[str, Any]]
"""The row's time, and the row as it is shown."""
Rows = Callable[[SymbolTape, int, int, int, bool], list[Row]]
"""(symbol, start, end, most rows, newest first) -> rows in that direction; both ends of the time are included."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended: the time of its last row, and how many rows of that time have been served."""

    symbol: str
    at: int
    skip: int


class Page(msgspec.Struct):
    """What a history request asks for. `cursor` comes from the page before."""

    symbols: list[str]
    start: int
    end: int
    limit: int
    newest: bool
    cursor: Cursor | None


def read_page(query: Mapping[str, str], symbols: list[str], now: int) -> Page:
    """From the start of today to `now` where nothing else is asked for. Raises Refusal."""
    start = query_time(query, "start")
    end = query_time(query, "end")
    return Page(
        symbols=sorted(symbols),
        start=midnight(now) if start is None else start,
        end=now if end is None else min(end, now),
        limit=query_integer(query, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT),
        newest=query_word(query, "sort", "asc", ("asc", "desc")) == "desc",
        cursor=_read_token(query.get("page_token")),
    )


def fill_page(
    page: Page, tapes: Mapping[str, SymbolTape], rows: Rows
) -> tuple[dict[str, list[dict[str, Any]]], str | None]:
    """The rows of the page by symbol, and the token of the page after it, None where there is none."""
    found: dict[str, list[dict[str, Any]]] = {}
    left = page.limit
    for symbol in page.symbols:
        tape = tapes.get(symbol)
        if tape is None or (page.cursor is not None and symbol < page.cursor.symbol):
            continue
        start, end, skip = _span(page, symbol)
        part = rows(tape, start, end, skip + left + 1, page.newest)[skip:]
        served = part[:left]
        if served:
            found[symbol] = [row for _, row in served]
        if len(part) > left:
            return found, _write_token(_after(served, symbol, page))
        left -= len(part)
    return found, None


def _span(page: Page, symbol: str) -> tuple[int, int, int]:
    """The times still to serve for `symbol`, both ends included, and how many rows of it to skip."""
    cursor = page.cursor
    if cursor is None or cursor.symbol != symbol:
        return page.start, page.end, 0
    if page.newest:
        return page.start, min(page.end, cursor.at), cursor.skip
    return max(page.start, cursor.at), page.end, cursor.skip


def _after(part: list[Row], symbol: str, page: Page) -> Cursor:
    """Where the page after one that ends with `part` begins."""
    at = page.end if page.newest else page.start
    skip = 0
    cursor = page.cursor
    if cursor is not None and cursor.symbol == symbol:
        at, skip = cursor.at, cursor.skip
    if not part:
        return Cursor(symbol, at, skip)
    last = part[-1][0]
    same = next((i for i, row in enumerate(reversed(part)) if row[0] != last), len(part))
    return Cursor(symbol, last, same + (skip if same == len(part) and last == at else 0))


def _write_token(cursor: Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode()


def _read_token(text: str | None) -> Cursor | None:
    if not text:
        return None
    try:
        cursor = msgspec.json.decode(base64.urlsafe_b64decode(text.encode()), type=Cursor)
    except (ValueError, binascii.Error, msgspec.DecodeError) as error:
        raise malformed("invalid page_token") from error
    if not 0 <= cursor.at < 1 << 62 or not 0 <= cursor.skip < 1 << 40:
        raise malformed("invalid page_token")
    return cursor
