"""The exchange's own routes, outside Alpaca's: health and faults, for this machine only."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import msgspec
from aiohttp import web

from engine.exchange.refusals import forbidden
from engine.exchange.server.faults import FaultKind
from engine.exchange.server.floor import Floor
from engine.exchange.server.http import reply

_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


class AdminRoutes:
    """`drop` closes streams: it is given data, trading or all."""

    def __init__(self, floor: Floor, drop: Callable[[str], None]) -> None:
        self._floor = floor
        self._drop = drop

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/paddock/faults", self.set_fault),
            web.get("/paddock/health", self.health, allow_head=False),
        ]

    async def health(self, request: web.Request) -> web.Response:
        floor = self._floor
        counters = msgspec.structs.asdict(floor.counters)
        return reply({"status": "ok", **counters, "orders": floor.venue.orders_taken, "fills": floor.venue.books.fills})

    async def set_fault(self, request: web.Request) -> web.Response:
        """A page in a browser cannot come here: it may not send JSON across origins, nor reach us by another name."""
        if not _is_loopback(request.remote) or request.url.host not in _LOCAL_NAMES:
            raise forbidden("faults are set from this machine only")
        if request.content_type != "application/json":
            raise forbidden("faults are set with application/json only")
        fault = self._floor.faults.read(await request.read())
        self._floor.faults.set(fault)
        if fault.kind is FaultKind.DROP_STREAMS:
            self._drop(fault.stream)
        return reply(msgspec.to_builtins(fault))


def _is_loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False
