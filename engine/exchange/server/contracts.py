"""Option contracts over REST: this exchange lists none, and says so as Alpaca does where there are none."""

from __future__ import annotations

from aiohttp import web

from engine.exchange.refusals import not_found, unprocessable
from engine.exchange.server.floor import Floor
from engine.exchange.server.http import DESK, reply
from engine.exchange.server.times import query_integer, query_word


class ContractRoutes:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v2/options/contracts", self.contracts, allow_head=False),
            web.get("/v2/options/contracts/{contract}", self.contract, allow_head=False),
            web.post("/v2/positions/{symbol:.+}/exercise", self.exercise),
        ]

    async def contracts(self, request: web.Request) -> web.Response:
        query_integer(request.query, "limit", 100, 1, 10_000)
        query_word(request.query, "type", "call", ("call", "put"))
        query_word(request.query, "style", "american", ("american", "european"))
        return reply({"option_contracts": [], "next_page_token": None})

    async def contract(self, request: web.Request) -> web.Response:
        raise not_found(f"option contract not found for {request.match_info['contract'][:64]}")

    async def exercise(self, request: web.Request) -> web.Response:
        asset = self._floor.venue.catalogue.find(request.match_info["symbol"])
        if asset is None or request[DESK].account.quantity(asset.symbol) == 0:
            raise not_found("position does not exist")
        raise unprocessable(f"{asset.symbol} is not an option contract")
