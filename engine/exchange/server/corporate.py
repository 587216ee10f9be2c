"""Corporate actions over REST: announced as Alpaca does, and scheduled by a route of our own from this machine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from aiohttp import web

from engine.exchange.corporate import CorporateAction, Kind
from engine.exchange.numbers import MAX_PRICE, read_flag, read_number, read_word
from engine.exchange.refusals import invalid, malformed, not_found, unprocessable
from engine.exchange.server.floor import Floor
from engine.exchange.server.http import read_json, reply
from engine.exchange.server.local import check_json
from engine.exchange.server.times import query_date, query_integer, query_list, query_word
from engine.exchange.sessions import new_york
from engine.exchange.wire_corporate import PLURALS, announcement, market_data, shown

_TYPES = ("dividend", "split", "merger", "spinoff")
_DATES = ("declaration_date", "ex_date", "record_date", "payable_date")
_MAX_DAYS = 90
_STEP = Decimal("0.000001")


class CorporateRoutes:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def routes(self) -> list[web.RouteDef]:
        announcements = "/v2/corporate_actions/announcements"
        return [
            web.get(announcements, self.announcements, allow_head=False),
            web.get(f"{announcements}/{{action_id}}", self.announcement, allow_head=False),
            web.get("/v1/corporate-actions", self.market_data, allow_head=False),
            web.get("/paddock/corporate-actions", self.scheduled, allow_head=False),
            web.post("/paddock/corporate-actions", self.schedule),
        ]

    @property
    def _actions(self) -> list[CorporateAction]:
        return list(self._floor.venue.registrar.calendar)

    async def announcements(self, request: web.Request) -> web.Response:
        query = request.query
        types = query_list(query, "ca_types")
        if not types or not set(map(str.lower, types)) <= set(_TYPES):
            raise invalid(f"ca_types must be among {', '.join(_TYPES)}")
        since, until = self._span(query, "since", "until")
        if (until - since).days > _MAX_DAYS:
            raise invalid(f"since and until must be at most {_MAX_DAYS} days apart")
        by = query_word(query, "date_type", "ex_date", _DATES)
        symbol = query.get("symbol", "").upper()
        found = map(announcement, self._actions)
        return reply(
            [
                each
                for each in found
                if each["ca_type"] in map(str.lower, types)
                and symbol in ("", each["initiating_symbol"])
                and str(since) <= each[by] <= str(until)
            ]
        )

    async def announcement(self, request: web.Request) -> web.Response:
        action = self._floor.venue.registrar.calendar.get(request.match_info["action_id"])
        if action is None:
            raise not_found("announcement not found")
        return reply(announcement(action))

    async def market_data(self, request: web.Request) -> web.Response:
        """As the data API groups them: by type, sorted by date; pages are cut by count."""
        query = request.query
        start, end = self._span(query, "start", "end")
        types, symbols, ids = (query_list(query, name) for name in ("types", "symbols", "ids"))
        if unknown := set(types) - set(PLURALS):
            raise malformed(f"invalid type: {sorted(unknown)[0][:40]}")
        found = [
            action
            for action in self._actions
            if (action.action_id in ids if ids else start <= action.ex_date <= end)
            and (not types or action.kind.value in types)
            and (not symbols or action.symbol in symbols)
        ]
        newest = query_word(query, "sort", "asc", ("asc", "desc")) == "desc"
        found.sort(key=lambda action: (action.ex_date, action.action_id), reverse=newest)
        size = query_integer(query, "limit", 1000, 1, 1000)
        skip = query_integer(query, "page_token", 0, 0, 999_999_999)
        token = str(skip + size) if len(found) > skip + size else None
        return reply({"corporate_actions": market_data(found[skip : skip + size]), "next_page_token": token})

    async def scheduled(self, request: web.Request) -> web.Response:
        return reply([shown(action) for action in self._actions])

    async def schedule(self, request: web.Request) -> web.Response:
        check_json(request)
        action = self._read(await read_json(request))
        self._floor.venue.registrar.announce(action)
        await self._floor.commit()
        return reply(shown(action))

    def _read(self, body: dict[str, Any]) -> CorporateAction:
        """An `ex_date` that has come, as today has, takes effect at once."""
        kind = read_word(body, "type", Kind)
        asset = self._floor.venue.catalogue.find(str(body.get("symbol", ""))[:32])
        if asset is None or asset.is_crypto:
            raise unprocessable("symbol must be a stock of this exchange")
        today = new_york(self._floor.now()).date()
        ex_date = _date(body, "ex_date", today)
        action = CorporateAction(
            action_id=self._floor.venue.new_id(),
            kind=kind,
            symbol=asset.symbol,
            declared=today,
            ex_date=max(ex_date, today),
            payable_date=max(_date(body, "payable_date", ex_date), ex_date, today),
            new_rate=read_number(body, "new_rate", Decimal(1_000), _STEP) or Decimal(1),
            old_rate=read_number(body, "old_rate", Decimal(1_000), _STEP) or Decimal(1),
            cash=read_number(body, "cash", MAX_PRICE, _STEP) or Decimal(0),
            special=read_flag(body, "special"),
            cash_in_lieu=read_flag(body, "cash_in_lieu"),
        )
        _check(action)
        return action

    def _span(self, query: Mapping[str, str], start: str, end: str) -> tuple[date, date]:
        today = new_york(self._floor.now()).date()
        return query_date(query, start, today), query_date(query, end, today)


def _check(action: CorporateAction) -> None:
    if not action.kind.is_split:
        if action.cash <= 0 or action.ratio != 1:
            raise invalid("a cash dividend has cash for each share, and no rates")
    elif action.cash or action.ratio == 1 or (action.ratio > 1) != (action.kind is Kind.FORWARD_SPLIT):
        raise invalid("a forward split has a new_rate above its old_rate, a reverse split one below, and neither cash")


def _date(body: dict[str, Any], name: str, default: date) -> date:
    value = body.get(name)
    if value is None:
        return default
    try:
        found = date.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise invalid(f"{name} is not a valid date") from error
    if not date(1990, 1, 1) <= found <= date(2090, 1, 1):
        raise invalid(f"{name} is out of range")
    return found
