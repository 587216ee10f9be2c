"""The real exchange on virtual time: its matching, its ledger and its routes, without sockets; and prices that move."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, cast

from aiohttp import web

from engine.domain.market import NANOSECONDS, Quote, Trade
from engine.exchange.desk import Desk
from engine.exchange.fills import AlpacaFill
from engine.exchange.prices.base import BarColumns
from engine.exchange.prices.events import TapeEvent
from engine.exchange.refusals import Refusal
from engine.exchange.server.account import AccountRoutes
from engine.exchange.server.floor import Counters, Floor
from engine.exchange.server.history import HistoryRoutes
from engine.exchange.server.http import DESK
from engine.exchange.server.options import ExchangeOptions
from engine.exchange.server.switchboard import Faults
from engine.exchange.server.trading import TradingRoutes
from engine.exchange.sessions import AlwaysOpen
from engine.exchange.store import Store
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


class NoStore:
    is_durable = False


class VirtualVenue:
    """`answer` is one HTTP exchange: status and JSON body. `on_notices` hears of order updates as the stream would."""

    def __init__(self, random: Random, loop: VirtualLoop, clock: Any, seed: int) -> None:
        self._loop = loop
        partial = random.choice([0.0, 0.1, 0.5])
        self.venue = Venue(Walk(random), AlwaysOpen(), seed=seed, model=AlpacaFill(partial_probability=partial))
        options, time = ExchangeOptions(symbols=tuple(SYMBOLS)), VenueClock(clock, START)
        # Its store has a thread of its own. Nothing goes there in a day this short: memory holds it all.
        self.floor = Floor(options, self.venue, time, Faults(), cast(Store, NoStore()), Counters())
        self.desk = self.floor.enter("key", "secret")
        parts = (TradingRoutes(self.floor), AccountRoutes(self.floor), HistoryRoutes(self.floor))
        defined = [route for part in parts for route in part.routes()]
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = [
            (route.method, _pattern(route.path), route.handler) for route in defined if isinstance(route, web.RouteDef)
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
            if verb == method and (match := pattern.fullmatch("/v2" + path)) is not None:
                request = Request(self.desk, "/v2" + path, query, match.groupdict(), body)
                try:
                    response = await handler(request)
                except Refusal as refusal:
                    return refusal.status, refusal.body
                return response.status, json.loads(response.body) if isinstance(response.body, bytes) else None
        raise AssertionError(f"the engine asked for {method} {path}, which this venue does not serve")


def _pattern(path: str) -> re.Pattern[str]:
    """aiohttp's path with its names in braces, as a regular expression."""
    return re.compile(re.sub(r"{(\w+)(?::([^}]+))?}", lambda m: f"(?P<{m[1]}>{m[2] or '[^/]+'})", path))
