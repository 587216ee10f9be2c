"""The account, its history, the clock, the calendar and the assets over REST."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from aiohttp import web

from engine.domain.market import NANOSECONDS
from engine.exchange import wire
from engine.exchange.accounts import Execution, TradingAccount
from engine.exchange.desk import Desk
from engine.exchange.refusals import invalid, not_found
from engine.exchange.server.floor import Floor
from engine.exchange.server.http import DESK, read_json, reply
from engine.exchange.server.times import query_date, query_integer, query_time, query_word
from engine.exchange.sessions import SessionDay, midnight, new_york

_STEPS = {"1min": 60, "5min": 300, "15min": 900, "1h": 3600, "1d": 86_400}
_PERIOD_UNITS = {"D": 1, "W": 7, "M": 30, "A": 365}
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
            web.get("/v2/account/activities", self.activities, allow_head=False),
            web.get("/v2/account/activities/{kind}", self.activities, allow_head=False),
            web.get("/v2/account/portfolio/history", self.portfolio_history, allow_head=False),
            web.get("/v2/clock", self.clock, allow_head=False),
            web.get("/v2/calendar", self.calendar, allow_head=False),
            web.get("/v2/assets", self.assets, allow_head=False),
            web.get("/v2/assets/{symbol:.+}", self.asset, allow_head=False),
        ]

    async def account(self, request: web.Request) -> web.Response:
        return reply(self._account(request[DESK]))

    def _account(self, desk: Desk) -> dict[str, Any]:
        return wire.account(desk.account, self._floor.venue.price_of)

    async def configuration(self, request: web.Request) -> web.Response:
        return reply(request[DESK].account.configuration)

    async def configure(self, request: web.Request) -> web.Response:
        account = request[DESK].account
        changed = _read_configuration(await read_json(request), account.configuration)
        account.configuration = account.configuration | changed
        self._floor.venue.books.touch(account)
        await self._floor.commit()
        return reply(account.configuration)

    async def activities(self, request: web.Request) -> web.Response:
        """Only fills happen here; other kinds are known and empty."""
        query = request.query
        kinds = request.match_info.get("kind") or query.get("activity_types", "FILL")
        size = query_integer(query, "page_size", 100, 1, 100)
        newest = query_word(query, "direction", "desc", ("asc", "desc")) == "desc"
        if "FILL" not in kinds.upper().split(","):
            return reply([])
        found = _fills(request[DESK].account, query, newest)
        return reply([wire.activity(execution) for execution in islice(found, size)])

    async def portfolio_history(self, request: web.Request) -> web.Response:
        query = request.query
        step = query_word(query, "timeframe", "15min", tuple(_STEPS))
        account = request[DESK].account
        now = self._floor.now()
        start = query_time(query, "start") or query_time(query, "date_start") or now - _period(query.get("period"))
        end = query_time(query, "end") or now
        samples = [*account.samples, (now, account.equity(self._floor.venue.price_of))]
        return reply(_history(account, samples, start, end, step))

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
        wanted = request.query.get("asset_class", "")
        active = request.query.get("status", "active") in ("", "active")
        found = [asset for asset in self._floor.venue.catalogue if wanted in ("", wire.asset_class(asset))]
        return reply([wire.asset(asset) for asset in found] if active else [])

    async def asset(self, request: web.Request) -> web.Response:
        name = request.match_info["symbol"]
        asset = self._floor.venue.catalogue.find(name)
        if asset is None:
            raise not_found(f"asset not found for {name}")
        return reply(wire.asset(asset))


def _fills(account: TradingAccount, query: Mapping[str, str], newest: bool) -> Iterator[Execution]:
    after, until = query_time(query, "after"), query_time(query, "until")
    if day := query_time(query, "date"):
        after, until = day - 1, day + 86_400 * NANOSECONDS
    rows: Sequence[Execution] = account.executions
    if token := query.get("page_token"):
        rows = _after_token(list(rows), token, newest)
    return (
        execution
        for execution in (reversed(rows) if newest else rows)
        if (after is None or execution.timestamp > after) and (until is None or execution.timestamp < until)
    )


def _after_token(rows: list[Execution], token: str, newest: bool) -> list[Execution]:
    """What follows the activity whose id is the token, in the direction of the listing."""
    index = next((i for i, execution in enumerate(rows) if execution.activity_id == token), None)
    if index is None:
        raise invalid("invalid page_token")
    return rows[:index] if newest else rows[index + 1 :]


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


def _period(text: str | None) -> int:
    """Such as 1D, 2W, 3M, 1A, as nanoseconds."""
    if not text:
        return 30 * 86_400 * NANOSECONDS
    count, unit = text[:-1], text[-1:].upper()
    if unit not in _PERIOD_UNITS or not count.isascii() or not count.isdigit() or not 0 < len(count) <= 3:
        raise invalid("invalid period")
    return int(count) * _PERIOD_UNITS[unit] * 86_400 * NANOSECONDS


def _history(
    account: TradingAccount, samples: list[tuple[int, Decimal]], start: int, end: int, timeframe: str
) -> dict[str, Any]:
    """The last sample of every step. Profit is measured from the money the account began with."""
    step = _STEPS[timeframe]
    buckets: dict[int, Decimal] = {}
    for at, equity in samples:
        if start <= at <= end:
            key = midnight(at) // NANOSECONDS if step == 86_400 else at // NANOSECONDS // step * step
            buckets[key] = equity
    base = account.start_cash
    profits = [equity - base for equity in buckets.values()]
    return {
        "timestamp": list(buckets),
        "equity": [float(equity) for equity in buckets.values()],
        "profit_loss": [float(profit) for profit in profits],
        "profit_loss_pct": [float(profit / base) for profit in profits],
        "base_value": float(base),
        "base_value_asof": wire.rfc3339(account.created_at)[:10],
        "timeframe": {"1min": "1Min", "5min": "5Min", "15min": "15Min", "1h": "1H", "1d": "1D"}[timeframe],
    }


def _session(day: SessionDay) -> dict[str, str]:
    return {
        "date": day.day.isoformat(),
        "open": day.opens.strftime("%H:%M"),
        "close": day.closes.strftime("%H:%M"),
        "session_open": "0400",
        "session_close": "2000",
        "settlement_date": (day.day + timedelta(days=1)).isoformat(),
    }
