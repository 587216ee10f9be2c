"""The account and its configuration, the clock, the calendar and the assets over REST."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from aiohttp import web

from engine.domain.market import NANOSECONDS
from engine.exchange import wire, wire_account
from engine.exchange.desk import Desk
from engine.exchange.refusals import invalid, not_found
from engine.exchange.server.floor import Floor
from engine.exchange.server.http import DESK, read_json, reply
from engine.exchange.server.times import query_date, query_list
from engine.exchange.sessions import SessionDay, new_york

_FLAGS = ("suspend_trade", "no_shorting", "fractional_trading", "ptp_no_exception_entry")
_WORDS = {"trade_confirm_email": ("all", "none"), "max_margin_multiplier": ("1", "2", "4")}
_CALENDAR_DAYS = 15_000


class AccountRoutes:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        floor.shown["account"] = self._account

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v2/account", self.account, allow_head=False),
            web.get("/v2/account/configurations", self.configuration, allow_head=False),
            web.patch("/v2/account/configurations", self.configure),
            web.get("/v2/clock", self.clock, allow_head=False),
            web.get("/v2/calendar", self.calendar, allow_head=False),
            web.get("/v2/assets", self.assets, allow_head=False),
            web.get("/v2/assets/{symbol:.+}", self.asset, allow_head=False),
        ]

    async def account(self, request: web.Request) -> web.Response:
        return reply(self._account(request[DESK]))

    def _account(self, desk: Desk) -> dict[str, Any]:
        return wire_account.account(desk.account, self._floor.venue.price_of)

    async def configuration(self, request: web.Request) -> web.Response:
        return reply(request[DESK].account.configuration)

    async def configure(self, request: web.Request) -> web.Response:
        account = request[DESK].account
        changed = _read_configuration(await read_json(request), account.configuration)
        account.configuration = account.configuration | changed
        self._floor.venue.books.touch(account)
        await self._floor.commit()
        return reply(account.configuration)

    async def clock(self, request: web.Request) -> web.Response:
        floor = self._floor
        now = floor.now()
        return reply(
            {
                "timestamp": wire.rfc3339(now + round(floor.faults.clock_skew() * NANOSECONDS)),
                "is_open": floor.venue.is_open,
                "next_open": wire.rfc3339(floor.venue.sessions.next_open(now)),
                "next_close": wire.rfc3339(floor.venue.sessions.next_close(now)),
                "paddock_speed": floor.clock.speed,
            }
        )

    async def calendar(self, request: web.Request) -> web.Response:
        today = new_york(self._floor.now()).date()
        start = query_date(request.query, "start", today - timedelta(days=365))
        end = query_date(request.query, "end", today + timedelta(days=365))
        if (end - start).days > _CALENDAR_DAYS or max(start, end) > date(9000, 1, 1):
            raise invalid(f"the calendar serves at most {_CALENDAR_DAYS} days at a time")
        return reply([_session(day) for day in self._floor.venue.sessions.days(start, end)])

    async def assets(self, request: web.Request) -> web.Response:
        """With `attributes`, the assets that have any of them."""
        found = map(wire_account.asset, self._floor.venue.catalogue)
        return reply([asset for asset in found if _is_wanted(asset, request.query)])

    async def asset(self, request: web.Request) -> web.Response:
        name = request.match_info["symbol"]
        asset = self._floor.venue.catalogue.find(name)
        if asset is None:
            raise not_found(f"asset not found for {name}")
        return reply(wire_account.asset(asset))


def _read_configuration(body: dict[str, Any], present: dict[str, object]) -> dict[str, object]:
    """Known settings with valid values; nulls leave a setting as it is."""
    changed: dict[str, object] = {}
    for name, value in body.items():
        if value is None or name not in present:
            continue
        if name in _FLAGS and not isinstance(value, bool):
            raise invalid(f"{name} must be true or false")
        if name in _WORDS and str(value) not in _WORDS[name]:
            raise invalid(f"{name} must be one of {', '.join(_WORDS[name])}")
        if name in _FLAGS or name in _WORDS:
            changed[name] = value if isinstance(value, bool) else str(value)
    return changed


def _is_wanted(asset: wire.Json, query: Mapping[str, str]) -> bool:
    for name, key in (("status", "status"), ("asset_class", "class"), ("exchange", "exchange")):
        if query.get(name) and query[name] != asset[key]:
            return False
    attributes = query_list(query, "attributes")
    return not attributes or any(attribute in asset["attributes"] for attribute in attributes)


def _session(day: SessionDay) -> dict[str, str]:
    return {
        "date": day.day.isoformat(),
        "open": day.opens.strftime("%H:%M"),
        "close": day.closes.strftime("%H:%M"),
        "session_open": "0400",
        "session_close": "2000",
        "settlement_date": (day.day + timedelta(days=1)).isoformat(),
    }
