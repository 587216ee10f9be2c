"""The exchange's own routes, outside Alpaca's: health, faults and its description, for this machine only."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from aiohttp import web

from engine.exchange.refusals import not_found
from engine.exchange.server.faults import FaultKind, read_fault
from engine.exchange.server.floor import Floor
from engine.exchange.server.http import reply
from engine.exchange.server.local import check_json, check_sender


class AdminRoutes:
    """`drop` closes streams: it is given data, trading or all. `restart` is given the seconds to stay away."""

    def __init__(self, floor: Floor, drop: Callable[[str], None], restart: Callable[[float], None]) -> None:
        self._floor = floor
        self._drop = drop
        self._restart = restart

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/paddock/health", self.health, allow_head=False),
            web.get("/paddock/faults", self.list_faults, allow_head=False),
            web.post("/paddock/faults", self.set_fault),
            web.delete("/paddock/faults", self.clear),
            web.delete("/paddock/faults/{number}", self.disarm),
            web.get("/paddock/openapi.json", self.openapi, allow_head=False),
        ]

    async def health(self, request: web.Request) -> web.Response:
        floor = self._floor
        counters = msgspec.structs.asdict(floor.counters)
        return reply({"status": "ok", **counters, "orders": floor.venue.orders_taken, "fills": floor.venue.books.fills})

    async def openapi(self, request: web.Request) -> web.Response:
        # Imported here because few ask for it.
        from engine.exchange.server.openapi import document

        return reply(document(asset.symbol for asset in self._floor.venue.catalogue))

    async def list_faults(self, request: web.Request) -> web.Response:
        return reply(self._floor.faults.shown())

    async def set_fault(self, request: web.Request) -> web.Response:
        check_json(request)
        fault = read_fault(await request.read())
        armed = self._floor.faults.set(fault)
        if fault.kind is FaultKind.DROP_STREAMS:
            self._drop(fault.stream)
        elif fault.kind is FaultKind.RESTART:
            self._restart(fault.seconds)
        return reply(armed.shown())

    async def clear(self, request: web.Request) -> web.Response:
        check_sender(request)
        self._floor.faults.clear()
        return web.Response(status=204)

    async def disarm(self, request: web.Request) -> web.Response:
        check_sender(request)
        number = request.match_info["number"]
        if not (number.isascii() and number.isdigit() and self._floor.faults.disarm(int(number[:18]))):
            raise not_found("there is no such fault")
        return web.Response(status=204)
