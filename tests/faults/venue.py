"""The real exchange on virtual time: its matching, its ledger and its routes, without sockets; and prices that move."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from aiohttp import web

from engine.domain.market import NANOSECONDS, Quote, Trade
from engine.exchange.desk import Desk
from engine.exchange.fills import AlpacaFill
from engine.exchange.prices.base import BarColumns
from engine.exchange.prices.events import TapeEvent
from engine.exchange.refusals import Refusal
from engine.exchange.server.account import AccountRoutes
from engine.exchange.server.faults import Faults
from engine.exchange.server.floor import Floor
from engine.exchange.server.http import DESK
from engine.exchange.server.options import ExchangeOptions
from engine.exchange.server.trading import TradingRoutes
from engine.exchange.sessions import AlwaysOpen
from engine.exchange.venue import Venue
from engine.exchange.venue_clock import VenueClock
from tests.faults.virtual import EPOCH, VirtualLoop

SYMBOLS = {"SPY": 600.0, "AAPL": 250.0}
STEP = NANOSECONDS // 2
START = EPOCH * NANOSECONDS

Handler = Callable[[Any], Awaitable[web.Response]]


class Walk:
    """Two stocks that take a random step twice a second."""

    symbols = tuple(SYMBOLS)
    end: int | None = None

    def __init__(self, random: Random) -> None:
        self.tape_start = self.start = START
        self._random = random
        self._cents = {symbol: round(price * 100) for symbol, price in SYMBOLS.items()}
        self._next = START
        self._number = 0

    def step(self, until: int) -> list[TapeEvent]:
        events: list[TapeEvent] = []
        while self._next <= until:
            for symbol in self.symbols:
                self._cents[symbol] += self._random.randint(-12, 12)
                bid = self._cents[symbol] / 100
                self._number += 1
                events.append(Quote(symbol, bid, 300, round(bid + 0.02, 2), 300, self._next))
                events.append(Trade(symbol, bid, 100, self._next, "V", ("@",), self._number))
            self._next += STEP
        return events

    def minute_bars(self, symbol: str, start: int, end: int) -> BarColumns:
        return BarColumns.empty()

    def daily_bars(self, symbol: str) -> BarColumns:
        return BarColumns.empty()


class Request:
    """What the exchange's routes ask of aiohttp's request."""

    def __init__(self, desk: Desk, path: str, query: dict[str, str], match: dict[str, str], body: bytes) -> None:
        self.path = path
        self.query = query
        self.match_info = match
        self._desk = desk
        self._body = body

    def __getitem__(self, key: Any) -> Desk:
        assert key is DESK
        return self._desk

    async def read(self) -> bytes:
        return self._body


class VirtualVenue:
    """`answer` is one HTTP exchange: status and JSON body. `on_notices` hears of order updates as the stream would."""

    def __init__(self, random: Random, loop: VirtualLoop, clock: Any, seed: int) -> None:
        self._loop = loop
        partial = random.choice([0.0, 0.1, 0.5])
        self.venue = Venue(
            Walk(random), AlwaysOpen(), seed=seed, model=AlpacaFill(partial_probability=partial)
        )
        self.floor = Floor(ExchangeOptions(symbols=tuple(SYMBOLS)), self.venue, VenueClock(clock, START), Faults(), None)
        self.desk = self.floor.enter("key", "secret")
        trading, account = TradingRoutes(self.floor), AccountRoutes(self.floor)
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = [
            ("POST", re.compile(r"/orders"), trading.submit),
            ("GET", re.compile(r"/orders"), trading.list_orders),
            ("DELETE", re.compile(r"/orders"), trading.cancel_all),
            ("GET", re.compile(r"/orders:by_client_order_id"), trading.by_client_order_id),
            ("GET", re.compile(r"/orders/(?P<order_id>.+)"), trading.get_order),
            ("DELETE", re.compile(r"/orders/(?P<order_id>.+)"), trading.cancel),
            ("PATCH", re.compile(r"/orders/(?P<order_id>.+)"), trading.replace),
            ("GET", re.compile(r"/positions"), trading.list_positions),
            ("GET", re.compile(r"/account"), account.account),
            ("GET", re.compile(r"/clock"), account.clock),
            ("GET", re.compile(r"/account/activities/(?P<kind>.+)"), account.activities),
            ("GET", re.compile(r"/assets/(?P<symbol>.+)"), account.asset),
        ]

    async def advance(self) -> None:
        """Let the market run up to now."""
        self.venue.advance(START + round(self._loop.time() * NANOSECONDS))
        await self.floor.commit()

    async def answer(self, method: str, path: str, data: dict[str, Any] | None) -> tuple[int, Any]:
        await self.advance()
        sent = method in ("POST", "PATCH")
        body = json.dumps(data).encode() if sent else b""
        query = {} if sent else {name: str(value) for name, value in (data or {}).items()}
        for verb, pattern, handler in self._routes:
            if verb == method and (match := pattern.fullmatch(path)) is not None:
                request = Request(self.desk, "/v2" + path, query, match.groupdict(), body)
                try:
                    response = await handler(request)
                except Refusal as refusal:
                    return refusal.status, refusal.body
                return response.status, json.loads(response.body) if isinstance(response.body, bytes) else None
        raise AssertionError(f"the engine asked for {method} {path}, which this venue does not serve")
