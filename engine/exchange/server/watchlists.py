"""Watchlists over REST: named lists of symbols that an account keeps."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from engine.exchange import wire_account
from engine.exchange.accounts import TradingAccount, Watchlist
from engine.exchange.assets import Asset
from engine.exchange.refusals import Refusal, invalid, not_found, unprocessable
from engine.exchange.server.floor import Floor
from engine.exchange.server.http import DESK, read_json, reply

MAX_LISTS, MAX_SYMBOLS, MAX_NAME = 200, 500, 64


class WatchlistRoutes:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v2/watchlists", self.list_all, allow_head=False),
            web.post("/v2/watchlists", self.create),
            web.get("/v2/watchlists/{list_id}", self.get, allow_head=False),
            web.put("/v2/watchlists/{list_id}", self.update),
            web.post("/v2/watchlists/{list_id}", self.add),
            web.delete("/v2/watchlists/{list_id}", self.delete),
            web.delete("/v2/watchlists/{list_id}/{symbol:.+}", self.remove),
        ]

    async def list_all(self, request: web.Request) -> web.Response:
        account = request[DESK].account
        return reply([wire_account.watchlist(found, account) for found in account.watchlists.values()])

    async def get(self, request: web.Request) -> web.Response:
        return self._show(request[DESK].account, _find(request))

    async def create(self, request: web.Request) -> web.Response:
        account = request[DESK].account
        body = await read_json(request)
        name, symbols = _name(body, account, ""), self._symbols(body)
        if len(account.watchlists) >= MAX_LISTS:
            raise unprocessable(f"an account keeps at most {MAX_LISTS} watchlists")
        now = self._floor.now()
        found = Watchlist(
            list_id=self._floor.venue.new_id(), name=name, symbols=symbols, created_at=now, updated_at=now
        )
        account.watchlists[found.list_id] = found
        return await self._keep(account, found)

    async def update(self, request: web.Request) -> web.Response:
        account, found = request[DESK].account, _find(request)
        body = await read_json(request)
        name = found.name if body.get("name") is None else _name(body, account, found.list_id)
        symbols = found.symbols if body.get("symbols") is None else self._symbols(body)
        found.name, found.symbols = name, symbols
        return await self._keep(account, found)

    async def add(self, request: web.Request) -> web.Response:
        found = _find(request)
        symbol = self._asset((await read_json(request)).get("symbol")).symbol
        if symbol in found.symbols or len(found.symbols) >= MAX_SYMBOLS:
            raise unprocessable(f"the watchlist has {symbol} already, or is full")
        found.symbols = [*found.symbols, symbol]
        return await self._keep(request[DESK].account, found)

    async def remove(self, request: web.Request) -> web.Response:
        found = _find(request)
        symbol = self._asset(request.match_info["symbol"]).symbol
        if symbol not in found.symbols:
            raise not_found(f"{symbol} is not in the watchlist")
        found.symbols = [other for other in found.symbols if other != symbol]
        return await self._keep(request[DESK].account, found)

    async def delete(self, request: web.Request) -> web.Response:
        account, found = request[DESK].account, _find(request)
        del account.watchlists[found.list_id]
        self._floor.venue.books.touch(account)
        await self._floor.commit()
        return web.Response(status=204)

    async def _keep(self, account: TradingAccount, found: Watchlist) -> web.Response:
        found.updated_at = self._floor.now()
        self._floor.venue.books.touch(account)
        await self._floor.commit()
        return self._show(account, found)

    def _show(self, account: TradingAccount, found: Watchlist) -> web.Response:
        known = (self._floor.venue.catalogue.find(symbol) for symbol in found.symbols)
        return reply(
            wire_account.watchlist(found, account) | {"assets": [wire_account.asset(a) for a in known if a is not None]}
        )

    def _symbols(self, body: dict[str, Any]) -> list[str]:
        names = body.get("symbols") or []
        if not isinstance(names, list) or len(names) > MAX_SYMBOLS:
            raise invalid(f"symbols must be a list of at most {MAX_SYMBOLS}")
        return list(dict.fromkeys(self._asset(name).symbol for name in names))

    def _asset(self, name: object) -> Asset:
        found = self._floor.venue.catalogue.find(name) if isinstance(name, str) else None
        if found is None:
            raise unprocessable(f"asset {str(name)[:32]!r} not found")
        return found


def _find(request: web.Request) -> Watchlist:
    found = request[DESK].account.watchlists.get(request.match_info["list_id"])
    if found is None:
        raise not_found("watchlist not found")
    return found


def _name(body: dict[str, Any], account: TradingAccount, list_id: str) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= MAX_NAME:
        raise invalid(f"name must be 1 to {MAX_NAME} printable characters")
    if any(other.name == name and other.list_id != list_id for other in account.watchlists.values()):
        raise Refusal(422, 40010001, "watchlist name must be unique")
    return name
