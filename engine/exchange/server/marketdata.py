"""Historical and latest market data over REST, for stocks and for crypto."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from aiohttp import web

from engine.exchange import wire
from engine.exchange.adjustment import adjust
from engine.exchange.columns import Columns
from engine.exchange.prices.base import BarColumns
from engine.exchange.server.asked import CRYPTO, STOCKS, asked_symbols, only, single_symbol
from engine.exchange.server.floor import Floor
from engine.exchange.server.http import reply
from engine.exchange.server.paging import Row, Rows, fill_page, read_page
from engine.exchange.server.timeframes import BarLength, parse_timeframe
from engine.exchange.sessions import midnight
from engine.exchange.tape import SymbolTape

STOCK = f"{STOCKS}/{{symbol}}"
PAIR = f"{CRYPTO}/{{symbol:[A-Z0-9]+(?:(?:/|%2[Ff])[A-Z]+)?}}"
"""One symbol in the path, as some clients ask; a pair comes as BTC/USD, BTC%2FUSD or BTCUSD."""


class MarketDataRoutes:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._tape = floor.venue.tape

    def routes(self) -> list[web.RouteDef]:
        tables = {"bars": self.bars, "trades": self.trades, "quotes": self.quotes}
        latest = {"bars": self.latest_bars, "trades": self.latest_trades, "quotes": self.latest_quotes}
        get: list[tuple[str, Callable[[web.Request], Any]]] = []
        for name, handler in tables.items():
            get += [(f"{where}/{name}", handler) for where in (STOCKS, STOCK, CRYPTO, PAIR)]
        for name, handler in latest.items():
            get += [(f"{where}/{name}/latest", handler) for where in (STOCKS, STOCK)]
            get += [(f"{where}/latest/{name}", handler) for where in (CRYPTO, PAIR)]
        get += [
            (f"{STOCKS}/snapshots", self.stock_snapshots),
            (f"{STOCK}/snapshot", self.stock_snapshots),
            (f"{CRYPTO}/latest/orderbooks", self.latest_books),
            (f"{PAIR}/latest/orderbooks", self.latest_books),
            (f"{CRYPTO}/snapshots", self.crypto_snapshots),
            (f"{PAIR}/snapshot", self.crypto_snapshots),
        ]
        return [web.get(path, handler, allow_head=False) for path, handler in get]

    async def bars(self, request: web.Request) -> web.Response:
        length = parse_timeframe(request.query.get("timeframe", "1Min"))
        now = self._floor.venue.now
        adjustment = (request.query.get("adjustment") or "raw").split(",")
        actions = self._floor.venue.registrar.calendar

        def rows(tape: SymbolTape, start: int, end: int, most: int, newest: bool) -> list[Row]:
            source = _source(tape, length, start, end, now)
            source = adjust(source, actions.effective(tape.symbol), adjustment, is_daily=not length.is_intraday)
            found = _join(source, length, start, most, newest)
            return _in_order(list(zip(found.timestamp.tolist(), wire.bars(found), strict=True)), most, newest)

        return self._history(request, "bars", rows)

    async def trades(self, request: web.Request) -> web.Response:
        return self._history(request, "trades", _tick_rows("trades", wire.tape_trade))

    async def quotes(self, request: web.Request) -> web.Response:
        return self._history(request, "quotes", _tick_rows("quotes", wire.tape_quote))

    async def latest_trades(self, request: web.Request) -> web.Response:
        return self._latest(request, "trade", lambda tape: None if tape.trade is None else wire.trade(tape.trade))

    async def latest_quotes(self, request: web.Request) -> web.Response:
        return self._latest(request, "quote", lambda tape: None if tape.quote is None else wire.quote(tape.quote))

    async def latest_bars(self, request: web.Request) -> web.Response:
        return self._latest(request, "bar", _latest_minute)

    async def latest_books(self, request: web.Request) -> web.Response:
        return self._latest(request, "orderbook", _book)

    async def stock_snapshots(self, request: web.Request) -> web.Response:
        found = self._snapshots(request)
        if (symbol := request.match_info.get("symbol")) is not None:
            return reply({"symbol": symbol, **only(symbol, found)})
        return reply(found)

    async def crypto_snapshots(self, request: web.Request) -> web.Response:
        found = self._snapshots(request)
        if (symbol := single_symbol(request, self._floor.venue.catalogue)) is not None:
            return reply({"symbol": symbol, **only(symbol, found)})
        return reply({"snapshots": found})

    def _snapshots(self, request: web.Request) -> dict[str, dict[str, Any]]:
        return {tape.symbol: self._snapshot(tape) for tape in self._asked(request)}

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
        tapes = self._tape.symbols
        return [tapes[name] for name in asked_symbols(request, self._floor) if name in tapes]

    def _latest(
        self, request: web.Request, key: str, show: Callable[[SymbolTape], dict[str, Any] | None]
    ) -> web.Response:
        found = {tape.symbol: shown for tape in self._asked(request) if (shown := show(tape)) is not None}
        symbol = single_symbol(request, self._floor.venue.catalogue)
        return reply({f"{key}s": found} if symbol is None else {"symbol": symbol, key: only(symbol, found)})

    def _history(self, request: web.Request, key: str, rows: Rows) -> web.Response:
        """The page of many symbols, or of the one that the path names."""
        page = read_page(request.query, asked_symbols(request, self._floor), self._floor.venue.now)
        found, token = fill_page(page, self._tape.symbols, rows)
        symbol = single_symbol(request, self._floor.venue.catalogue)
        if symbol is None:
            return reply({key: found, "next_page_token": token})
        return reply({"symbol": symbol, key: found.get(symbol, []), "next_page_token": token})


def _source(tape: SymbolTape, length: BarLength, start: int, end: int, now: int) -> BarColumns:
    """The minutes or days that bars of a length are made of."""
    first = length.start_of(start)
    return tape.minute_bars(first, end) if length.is_intraday else tape.daily_bars(first, end, now)


def _join(source: BarColumns, length: BarLength, start: int, most: int, newest: bool) -> BarColumns:
    """The first or last `most` bars that start at `start` or later."""
    found = length.join(source)
    found = found[int(np.searchsorted(found.timestamp, start)) :]
    return found[-most:] if newest else found[:most]


def _in_order(rows: list[Row], most: int, newest: bool) -> list[Row]:
    return rows[::-1][:most] if newest else rows[:most]


def _tick_rows(table: str, show: Callable[[str, Columns, int], dict[str, Any]]) -> Rows:
    def rows(tape: SymbolTape, start: int, end: int, most: int, newest: bool) -> list[Row]:
        columns: Columns = getattr(tape, table)
        span = columns.span(start, end)
        chosen = span[::-1][:most] if newest else span[:most]
        return [(columns.columns[0][index], show(tape.symbol, columns, index)) for index in chosen]

    return rows


def _latest_minute(tape: SymbolTape) -> dict[str, Any] | None:
    if tape.last_minute is not None:
        return wire.bar(tape.last_minute)
    before = wire.bars(tape.minute_bars(0, 1 << 62)[-1:])
    return before[0] if before else None


def _book(tape: SymbolTape) -> dict[str, Any] | None:
    """One level deep: the exchange knows the best bid and offer only."""
    quote = tape.quote
    if quote is None:
        return None
    return {
        "t": wire.rfc3339(quote.timestamp),
        "b": [{"p": quote.bid_price, "s": quote.bid_size}],
        "a": [{"p": quote.ask_price, "s": quote.ask_size}],
    }
