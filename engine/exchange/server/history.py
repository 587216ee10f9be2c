"""What happened to an account over REST: its activities, and its equity over time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time, timedelta

from aiohttp import web

from engine.domain.market import NANOSECONDS
from engine.exchange import wire_account
from engine.exchange.activities import ACTIVITY_LIMIT, FILL, Entry
from engine.exchange.archive import ActivityQuery
from engine.exchange.desk import Desk
from engine.exchange.portfolio import STEPS, Hours, Request, portfolio_history
from engine.exchange.refusals import invalid
from engine.exchange.server.floor import Floor
from engine.exchange.server.http import DESK, reply
from engine.exchange.server.times import query_date, query_flag, query_integer, query_time, query_word
from engine.exchange.sessions import DAY, at_new_york, new_york

_PERIOD_UNITS = {"D": 1, "W": 7, "M": 30, "A": 365}
CASH_KINDS = frozenset({"CFEE", "CIL", "DIV", "FEE"})
_CATEGORIES = {"trade_activity": frozenset({FILL}), "non_trade_activity": CASH_KINDS | {"SPLIT"}}
_REPORTING = ("market_hours", "extended_hours", "continuous")
_DAY = 86_400 * NANOSECONDS


class HistoryRoutes:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v2/account/activities", self.activities, allow_head=False),
            web.get("/v2/account/activities/{kind}", self.activities, allow_head=False),
            web.get("/v2/account/portfolio/history", self.portfolio, allow_head=False),
        ]

    async def activities(self, request: web.Request) -> web.Response:
        size = query_integer(request.query, "page_size", 100, 1, 100)
        query = _activity_query(request.query, request.match_info.get("kind", ""), request[DESK])
        return reply([wire_account.activity(found) for found in request[DESK].activities(query, size)])

    async def portfolio(self, request: web.Request) -> web.Response:
        floor, account = self._floor, request[DESK].account
        now = floor.now()
        asked = _portfolio_request(request.query, now)
        samples = await floor.store.read_samples(account.account_id, asked.start, asked.end)
        if asked.start <= now <= asked.end:
            samples.append((now, account.equity(floor.venue.price_of)))
        base = await floor.store.last_close(account.account_id, asked.start)
        closes = await floor.store.read_closes(account.account_id, asked.start, asked.end)
        sessions = floor.venue.sessions
        entries = _entries(request[DESK], asked)
        found = portfolio_history(asked, samples, closes, base, account.start_cash, sessions, entries)
        return reply(found)


def _entries(desk: Desk, asked: Request) -> list[Entry]:
    """The newest entries of the time that is asked for."""
    if not asked.cashflow:
        return []
    # Orders of one step of the market are stamped a little after it.
    query = ActivityQuery(kinds=asked.cashflow, after=asked.start, until=asked.end + NANOSECONDS)
    return [found for found in desk.activities(query, ACTIVITY_LIMIT) if isinstance(found, Entry)]


def _activity_query(query: Mapping[str, str], kind: str, desk: Desk) -> ActivityQuery:
    after, until = query_time(query, "after"), query_time(query, "until")
    if query.get("date"):
        day = query_date(query, "date", new_york(0).date())
        after, until = at_new_york(day, time()) - 1, at_new_york(day + DAY, time())
    token = query.get("page_token")
    beyond = desk.activity_number(token) if token else None
    if token and beyond is None:
        raise invalid("invalid page_token")
    return ActivityQuery(
        kinds=_kinds(query, kind),
        after=after,
        until=until,
        beyond=beyond,
        newest_first=query_word(query, "direction", "desc", ("asc", "desc")) == "desc",
    )


def _kinds(query: Mapping[str, str], kind: str) -> frozenset[str]:
    names = kind or query.get("activity_types", "")
    if not names and (category := query.get("category")):
        query_word(query, "category", "", tuple(_CATEGORIES))
        return _CATEGORIES[category.lower()]
    found = frozenset(name.strip().upper() for name in names.split(",") if name.strip())
    if len(found) > 100:
        raise invalid("activity_types has more than 100 entries")
    return found


def _portfolio_request(query: Mapping[str, str], now: int) -> Request:
    start, end = query_time(query, "start") or query_time(query, "date_start"), query_time(query, "end")
    if end is None and query.get("date_end"):
        end = at_new_york(query_date(query, "date_end", new_york(now).date()) + timedelta(days=1), time()) - 1
    period = _period(query.get("period"))
    end = now if end is None else min(end, now)
    start = end - period if start is None else start
    if start > end:
        raise invalid("start must be before end")
    days = (end - start) / _DAY
    default = "1min" if days < 7 else "15min" if days < 30 else "1d"
    hours = query_word(query, "intraday_reporting", "market_hours", _REPORTING)
    if hours == "market_hours" and query_flag(query, "extended_hours"):
        hours = "extended_hours"
    return Request(
        start=start,
        end=end,
        timeframe=query_word(query, "timeframe", default, tuple(STEPS)),
        hours=Hours(hours),
        cashflow=_cashflow_kinds(query.get("cashflow_types", "")),
        resets_daily=query_word(query, "pnl_reset", "per_day", ("per_day", "no_reset")) == "per_day",
    )


def _cashflow_kinds(text: str) -> frozenset[str]:
    """ALL, NONE, or a list of kinds."""
    names = frozenset(name.strip().upper() for name in text[:1_000].split(",")) - {"", "NONE"}
    return CASH_KINDS if "ALL" in names else names


def _period(text: str | None) -> int:
    """Such as 1D, 2W, 3M, 1A, as nanoseconds."""
    if not text:
        return 30 * _DAY
    count, unit = text[:-1], text[-1:].upper()
    if unit not in _PERIOD_UNITS or not count.isascii() or not count.isdigit() or not 0 < len(count) <= 3:
        raise invalid("invalid period")
    return int(count) * _PERIOD_UNITS[unit] * _DAY
