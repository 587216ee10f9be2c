"""Historical and latest market data over REST, for stocks and for crypto."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
from aiohttp import web

from engine.exchange import wire
from engine.exchange.columns import Columns
from engine.exchange.prices.base import BarColumns
from engine.exchange.refusals import malformed, not_found
from engine.exchange.server.floor import Floor
from engine.exchange.server.http import reply
from engine.exchange.server.timeframes import BarLength, parse_timeframe
from engine.exchange.server.times import parse_time, query_integer, query_list, query_time, query_word
from engine.exchange.sessions import midnight
from engine.exchange.tape import SymbolTape

DEFAULT_LIMIT, MAX_LIMIT = 1000, 10_000
STOCKS, CRYPTO = "/v2/stocks", "/v1beta3/crypto/us"

Rows = Callable[[SymbolTape, int, int, int, bool], list[dict[str, Any]]]
"""(symbol, start, end, most rows, newest first) -> rows in that direction."""


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


class MarketDataRoutes:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._tape = floor.venue.tape

    def routes(self) -> list[web.RouteDef]:
        get = [
            (f"{STOCKS}/bars", self.bars),
            (f"{STOCKS}/trades", self.trades),
            (f"{STOCKS}/quotes", self.quotes),
            (f"{STOCKS}/bars/latest", self.latest_bars),
            (f"{STOCKS}/trades/latest", self.latest_trades),
            (f"{STOCKS}/quotes/latest", self.latest_quotes),
            (f"{STOCKS}/snapshots", self.stock_snapshots),
            (f"{STOCKS}/{{symbol}}/bars", self.bars),
            (f"{STOCKS}/{{symbol}}/trades", self.trades),
            (f"{STOCKS}/{{symbol}}/quotes", self.quotes),
            (f"{STOCKS}/{{symbol}}/bars/latest", self.latest_bars),
            (f"{STOCKS}/{{symbol}}/trades/latest", self.latest_trades),
            (f"{STOCKS}/{{symbol}}/quotes/latest", self.latest_quotes),
            (f"{STOCKS}/{{symbol}}/snapshot", self.stock_snapshots),
            (f"{CRYPTO}/bars", self.bars),
            (f"{CRYPTO}/trades", self.trades),
            (f"{CRYPTO}/quotes", self.quotes),
            (f"{CRYPTO}/latest/bars", self.latest_bars),
            (f"{CRYPTO}/latest/trades", self.latest_trades),
            (f"{CRYPTO}/latest/quotes", self.latest_quotes),
            (f"{CRYPTO}/latest/orderbooks", self.latest_books),
            (f"{CRYPTO}/snapshots", self.crypto_snapshots),
        ]
        return [web.get(path, handler, allow_head=False) for path, handler in get]

    async def bars(self, request: web.Request) -> web.Response:
        length = parse_timeframe(request.query.get("timeframe", "1Min"))
        now = self._floor.venue.now

        def rows(tape: SymbolTape, start: int, end: int, most: int, newest: bool) -> list[dict[str, Any]]:
            found = wire.bars(_bars(tape, length, start, end, now, most, newest))
            return found[::-1][:most] if newest else found[:most]

        return reply(self._history(request, "bars", rows))

    async def trades(self, request: web.Request) -> web.Response:
        return reply(self._history(request, "trades", _tick_rows("trades", wire.tape_trade)))

    async def quotes(self, request: web.Request) -> web.Response:
        return reply(self._history(request, "quotes", _tick_rows("quotes", wire.tape_quote)))

    async def latest_trades(self, request: web.Request) -> web.Response:
        found = {tape.symbol: wire.trade(tape.trade) for tape in self._asked(request) if tape.trade is not None}
        return reply(_latest(request, "trade", found))

    async def latest_quotes(self, request: web.Request) -> web.Response:
        found = {tape.symbol: wire.quote(tape.quote) for tape in self._asked(request) if tape.quote is not None}
        return reply(_latest(request, "quote", found))

    async def latest_bars(self, request: web.Request) -> web.Response:
        found = {tape.symbol: bar for tape in self._asked(request) if (bar := _latest_minute(tape)) is not None}
        return reply(_latest(request, "bar", found))

    async def latest_books(self, request: web.Request) -> web.Response:
        """One level deep: the exchange knows the best bid and offer only."""
        found = {}
        for tape in self._asked(request):
            if (quote := tape.quote) is not None:
                found[tape.symbol] = {
                    "t": wire.rfc3339(quote.timestamp),
                    "b": [{"p": quote.bid_price, "s": quote.bid_size}],
                    "a": [{"p": quote.ask_price, "s": quote.ask_size}],
                }
        return reply({"orderbooks": found})

    async def stock_snapshots(self, request: web.Request) -> web.Response:
        found = {tape.symbol: self._snapshot(tape) for tape in self._asked(request)}
        if (symbol := request.match_info.get("symbol")) is not None:
            return reply({"symbol": symbol, **_only(symbol, found)})
        return reply(found)

    async def crypto_snapshots(self, request: web.Request) -> web.Response:
        return reply({"snapshots": {tape.symbol: self._snapshot(tape) for tape in self._asked(request)}})

    def _snapshot(self, tape: SymbolTape) -> dict[str, Any]:
        now = self._floor.venue.now
        today = tape.today(now)
        before = wire.bars(tape.daily_bars(0, midnight(now) - 1, now)[-1:])
        parts = {
            "latestTrade": None if tape.trade is None else wire.trade(tape.trade),
            "latestQuote": None if tape.quote is None else wire.quote(tape.quote),
            "minuteBar": _latest_minute(tape),
            "dailyBar": None if today is None else wire.bar(today),
            "prevDailyBar": before[0] if before else None,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def _asked(self, request: web.Request) -> list[SymbolTape]:
        return [self._tape.symbols[name] for name in self._symbols(request) if name in self._tape.symbols]

    def _symbols(self, request: web.Request) -> list[str]:
        """The symbols of a request that are well formed. Unknown ones are no error: they have no data."""
        if (single := request.match_info.get("symbol")) is not None:
            return [single]
        names = query_list(request.query, "symbols")
        if not names:
            raise malformed("symbols is required")
        crypto = request.path.startswith(CRYPTO)
        return [name for name in names if ("/" in name) == crypto]

    def _history(self, request: web.Request, key: str, rows: Rows) -> dict[str, Any]:
        page = self._page(request.query, sorted(self._symbols(request)))
        found: dict[str, list[dict[str, Any]]] = {}
        left = page.limit
        for symbol in page.symbols:
            tape = self._tape.symbols.get(symbol)
            if tape is None or (page.cursor is not None and symbol < page.cursor.symbol):
                continue
            start, end, skip = _span(page, symbol)
            part = rows(tape, start, end, skip + left + 1, page.newest)[skip:]
            served = part[:left]
            if served:
                found[symbol] = served
            if len(part) > left:
                return _rows(request, key, found, _write_token(_after(served, symbol, page)))
            left -= len(part)
        return _rows(request, key, found, None)

    def _page(self, query: Mapping[str, str], symbols: list[str]) -> Page:
        now = self._floor.venue.now
        start = query_time(query, "start")
        end = query_time(query, "end")
        return Page(
            symbols=symbols,
            start=midnight(now) if start is None else start,
            end=now if end is None else min(end, now),
            limit=query_integer(query, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT),
            newest=query_word(query, "sort", "asc", ("asc", "desc")) == "desc",
            cursor=_read_token(query.get("page_token")),
        )


def _rows(request: web.Request, key: str, found: dict[str, list[dict[str, Any]]], token: str | None) -> dict[str, Any]:
    """The page of many symbols, or of the one that the path names, as older clients ask for it."""
    symbol = request.match_info.get("symbol")
    if symbol is None:
        return {key: found, "next_page_token": token}
    return {"symbol": symbol, key: found.get(symbol, []), "next_page_token": token}


def _latest(request: web.Request, key: str, found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    symbol = request.match_info.get("symbol")
    return {f"{key}s": found} if symbol is None else {"symbol": symbol, key: _only(symbol, found)}


def _only(symbol: str, found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    if symbol not in found:
        raise not_found(f"no data for {symbol}")
    return found[symbol]


def _span(page: Page, symbol: str) -> tuple[int, int, int]:
    """The times still to serve for `symbol`, both ends included, and how many rows of it to skip."""
    cursor = page.cursor
    if cursor is None or cursor.symbol != symbol:
        return page.start, page.end, 0
    if page.newest:
        return page.start, min(page.end, cursor.at), cursor.skip
    return max(page.start, cursor.at), page.end, cursor.skip


def _bars(tape: SymbolTape, length: BarLength, start: int, end: int, now: int, most: int, newest: bool) -> BarColumns:
    """The first or last `most` bars that start in [start, end]."""
    first = length.start_of(start)
    source = tape.minute_bars(first, end) if length.is_intraday else tape.daily_bars(first, end, now)
    found = length.join(source)
    found = found[int(np.searchsorted(found.timestamp, start)) :]
    return found[-most:] if newest else found[:most]


def _tick_rows(table: str, show: Callable[[str, Columns, int], dict[str, Any]]) -> Rows:
    def rows(tape: SymbolTape, start: int, end: int, most: int, newest: bool) -> list[dict[str, Any]]:
        columns: Columns = getattr(tape, table)
        span = columns.span(start, end)
        chosen = span[::-1][:most] if newest else span[:most]
        return [show(tape.symbol, columns, index) for index in chosen]

    return rows


def _latest_minute(tape: SymbolTape) -> dict[str, Any] | None:
    if tape.last_minute is not None:
        return wire.bar(tape.last_minute)
    before = wire.bars(tape.minute_bars(0, 1 << 62)[-1:])
    return before[0] if before else None


def _after(part: list[dict[str, Any]], symbol: str, page: Page) -> Cursor:
    """Where the page after one that ends with `part` begins."""
    at = page.end if page.newest else page.start
    skip = 0
    cursor = page.cursor
    if cursor is not None and cursor.symbol == symbol:
        at, skip = cursor.at, cursor.skip
    if not part:
        return Cursor(symbol, at, skip)
    last = part[-1]["t"]
    same = next((i for i, row in enumerate(reversed(part)) if row["t"] != last), len(part))
    at_last = parse_time(last, "t")
    return Cursor(symbol, at_last, same + (skip if same == len(part) and at_last == at else 0))


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
