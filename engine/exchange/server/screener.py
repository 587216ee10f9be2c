"""The day's most active symbols and its movers, from the tape; and the news, of which there is none."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from engine.domain.market import is_crypto
from engine.exchange import wire
from engine.exchange.server.floor import Floor
from engine.exchange.server.http import reply
from engine.exchange.server.times import query_integer, query_word
from engine.exchange.sessions import midnight
from engine.exchange.tape import SymbolTape

SCREENER = "/v1beta1/screener"


class Move(msgspec.Struct):
    """A symbol's day beside the close before it."""

    symbol: str
    price: float
    change: float
    percent_change: float


class ScreenerRoutes:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{SCREENER}/stocks/most-actives", self.most_actives, allow_head=False),
            web.get(f"{SCREENER}/{{market:stocks|crypto}}/movers", self.movers, allow_head=False),
            web.get("/v1beta1/news", self.news, allow_head=False),
        ]

    async def most_actives(self, request: web.Request) -> web.Response:
        top = query_integer(request.query, "top", 10, 1, 100)
        by = "trade_count" if query_word(request.query, "by", "volume", ("volume", "trades")) == "trades" else "volume"
        now = self._floor.venue.now
        bars = [bar for tape in self._tapes(crypto=False) if (bar := tape.today(now)) is not None]
        bars.sort(key=lambda bar: getattr(bar, by), reverse=True)
        rows = [{"symbol": bar.symbol, "volume": bar.volume, "trade_count": bar.trade_count} for bar in bars[:top]]
        return reply({"most_actives": rows, "last_updated": wire.rfc3339(now)})

    async def movers(self, request: web.Request) -> web.Response:
        top = query_integer(request.query, "top", 10, 1, 50)
        market = request.match_info["market"]
        moves = [move for tape in self._tapes(crypto=market == "crypto") if (move := self._move(tape)) is not None]
        moves.sort(key=lambda move: move.percent_change)
        gainers: list[Any] = [move for move in reversed(moves) if move.percent_change > 0]
        losers: list[Any] = [move for move in moves if move.percent_change < 0]
        shown = {"gainers": gainers[:top], "losers": losers[:top], "market_type": market}
        return reply(shown | {"last_updated": wire.rfc3339(self._floor.venue.now)})

    async def news(self, request: web.Request) -> web.Response:
        return reply({"news": [], "next_page_token": None})

    def _tapes(self, *, crypto: bool) -> list[SymbolTape]:
        return [tape for tape in self._floor.venue.tape.symbols.values() if is_crypto(tape.symbol) == crypto]

    def _move(self, tape: SymbolTape) -> Move | None:
        now = self._floor.venue.now
        today = tape.today(now)
        before = tape.daily_bars(0, midnight(now) - 1, now)
        if today is None or not len(before):
            return None
        close = float(before.close[-1])
        change = today.close - close
        return Move(tape.symbol, today.close, round(change, 4), round(100 * change / close, 2))
