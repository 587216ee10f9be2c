"""The real exchange on virtual time: its matching, its ledger and its routes, without sockets; and prices that move."""

from __future__ import annotations

import functools
import math
import re
from collections import defaultdict
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, TypeVar, cast

import msgspec
from aiohttp import web

from engine.domain.market import NANOSECONDS, Quote, Trade
from engine.exchange.changes import Changes
from engine.exchange.corporate import CorporateAction
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
from engine.exchange.sessions import Sessions
from engine.exchange.store import Store
from engine.exchange.venue import Venue
from engine.exchange.venue_clock import VenueClock
from tests.faults.virtual import EPOCH, VirtualLoop

SYMBOLS = {"SPY": 600.0, "AAPL": 250.0}
STEP = NANOSECONDS // 2
START = EPOCH * NANOSECONDS

Handler = Callable[[Any], Coroutine[Any, Any, web.Response]]
T = TypeVar("T")


class Walk:
    """Two stocks that take a random step twice a second; of steps that nobody saw only where they led is told."""

    symbols = tuple(SYMBOLS)
    end: int | None = None

    def __init__(self, random: Random) -> None:
        self.tape_start = self.start = START
        self.is_watched = True
        """Whether a price can matter to anybody."""
        self._random = random
        self._cents = {symbol: round(price * 100) for symbol, price in SYMBOLS.items()}
        self._next = START
        self._number = 0

    def step(self, until: int) -> list[TapeEvent]:
        steps = (until - self._next) // STEP + 1
        if steps < 1 or not self.is_watched:
            return []
        at = self._next + (steps - 1) * STEP
        self._next = at + STEP
        events: list[TapeEvent] = []
        for symbol in self.symbols:
            self._cents[symbol] += round(self._random.uniform(-12, 12) * math.sqrt(steps))
            bid = self._cents[symbol] / 100
            self._number += 1
            events.append(Quote(symbol, bid, 300, round(bid + 0.02, 2), 300, at))
            events.append(Trade(symbol, bid, 100, at, "V", ("@",), self._number))
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

    async def write(self, changes: Changes) -> None:
        """The close of a day, which nobody asks for again; what memory cannot hold does not come in one."""
        assert not changes.orders and not changes.activities


class VirtualVenue:
    """`answer` is one HTTP exchange: status and JSON body. `on_notices` hears of order updates as the stream would."""

    def __init__(self, random: Random, loop: VirtualLoop, clock: Any, seed: int, sessions: Sessions) -> None:
        self._loop = loop
        partial = random.choice([0.0, 0.1, 0.5])
        self._walk = Walk(random)
        self.venue = Venue(self._walk, sessions, seed=seed, model=AlpacaFill(partial_probability=partial))
        options, time = ExchangeOptions(symbols=tuple(SYMBOLS)), VenueClock(clock, START)
        # Its store has a thread of its own. Nothing goes there in a day this short: memory holds it all.
        self.floor = Floor(options, self.venue, time, Faults(), cast(Store, NoStore()), Counters())
        self.desk = self.floor.enter("key", "secret")
        parts = (TradingRoutes(self.floor), AccountRoutes(self.floor), HistoryRoutes(self.floor))
        defined = [route for part in parts for route in part.routes()]
        self._routes: dict[str, list[tuple[re.Pattern[str], Handler]]] = defaultdict(list)
        for route in defined:
            if isinstance(route, web.RouteDef):
                self._routes[route.method].append((_pattern(route.path), route.handler))

    def tick(self) -> None:
        """A step of the market, where there is somebody whom it could concern."""
        if self.desk.open:
            self._walk.is_watched = True
            self.advance()

    def advance(self) -> None:
        """Let the market run up to now."""
        self.venue.advance(START + round(self._loop.time() * NANOSECONDS))
        _at_once(self.floor.commit())

    def act(self, action: CorporateAction) -> None:
        """A corporate action takes effect."""
        self._walk.is_watched = True
        self.advance()
        self.venue.registrar.announce(action)
        self.advance()

    def quote(self, symbol: str) -> tuple[float, float]:
        """Bid and ask."""
        quote = self.venue.tape.symbols[symbol].quote
        assert quote is not None
        return quote.bid_price, quote.ask_price

    def answer(self, method: str, path: str, data: dict[str, Any] | None) -> tuple[int, Any]:
        self._walk.is_watched = method != "GET" or bool(self.desk.open)
        self.advance()
        sent = method in ("POST", "PATCH")
        body = msgspec.json.encode(data) if sent else b""
        query = {} if sent else {name: str(value) for name, value in (data or {}).items()}
        handler, names = self._route(method, path)
        try:
            response = _at_once(handler(Request(self.desk, "/v2" + path, query, names, body)))
        except Refusal as refusal:
            return refusal.status, refusal.body
        return response.status, msgspec.json.decode(response.body) if isinstance(response.body, bytes) else None

    def _route(self, method: str, path: str) -> tuple[Handler, dict[str, str]]:
        for pattern, handler in self._routes[method]:
            if (match := pattern.fullmatch("/v2" + path)) is not None:
                return handler, match.groupdict()
        raise AssertionError(f"the engine asked for {method} {path}, which this venue does not serve")


def _at_once(work: Coroutine[Any, Any, T]) -> T:
    """The routes wait for their store alone, and here there is none to wait for."""
    try:
        work.send(None)
    except StopIteration as done:
        found: T = done.value
        return found
    raise RuntimeError("a route of the exchange waits for something")


@functools.cache
def _pattern(path: str) -> re.Pattern[str]:
    """aiohttp's path with its names in braces, as a regular expression."""
    return re.compile(re.sub(r"{(\w+)(?::([^}]+))?}", lambda m: f"(?P<{m[1]}>{m[2] or '[^/]+'})", path))
