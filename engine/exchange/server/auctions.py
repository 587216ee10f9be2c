"""Opening and closing auctions over REST: for each symbol and day the prints that the auctions made."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from aiohttp import web

from engine.domain.market import Trade
from engine.exchange import wire
from engine.exchange.conditions import is_opening
from engine.exchange.server.asked import STOCKS, asked_symbols
from engine.exchange.server.floor import Floor
from engine.exchange.server.http import reply
from engine.exchange.server.paging import Row, fill_page, read_page
from engine.exchange.sessions import midnight, new_york
from engine.exchange.tape import SymbolTape


class AuctionRoutes:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def routes(self) -> list[web.RouteDef]:
        paths = (f"{STOCKS}/auctions", f"{STOCKS}/{{symbol}}/auctions")
        return [web.get(path, self.auctions, allow_head=False) for path in paths]

    async def auctions(self, request: web.Request) -> web.Response:
        """`limit` counts days over all symbols."""
        page = read_page(request.query, asked_symbols(request, self._floor), self._floor.venue.now)
        found, token = fill_page(page, self._floor.venue.tape.symbols, _rows)
        if (symbol := request.match_info.get("symbol")) is not None:
            return reply({"symbol": symbol, "auctions": found.get(symbol, []), "next_page_token": token})
        return reply({"auctions": found, "next_page_token": token})


def _rows(tape: SymbolTape, start: int, end: int, most: int, newest: bool) -> list[Row]:
    prints = [tape.auction_at(index) for index in tape.auctions.span(midnight(start), end)]
    days = [(day, _day(day, list(found))) for day, found in groupby(prints, key=lambda p: midnight(p.timestamp))]
    days = [row for row in days if row[0] >= midnight(start)]
    return days[::-1][:most] if newest else days[:most]


def _day(day: int, prints: list[Trade]) -> dict[str, Any]:
    opening = [_print(found) for found in prints if is_opening(found)]
    closing = [_print(found) for found in prints if not is_opening(found)]
    return {"d": new_york(day).date().isoformat(), "o": opening, "c": closing}


def _print(found: Trade) -> dict[str, Any]:
    condition = "O" if is_opening(found) else "6"
    return {"t": wire.rfc3339(found.timestamp), "x": found.exchange, "p": found.price, "s": found.size, "c": condition}
