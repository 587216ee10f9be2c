"""Between engine and venue: requests and updates that are delayed, lost, repeated and garbled, as the plan has it."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple, cast

import msgspec
import requests
from alpaca.common.exceptions import APIError

from engine.broker import wire
from engine.broker.address import VenueAddress
from engine.broker.base import TradeUpdate
from engine.broker.outcomes import told_apart
from engine.domain.market import NANOSECONDS
from engine.domain.timestamps import parse_rfc3339
from engine.exchange.changes import Notice
from engine.exchange.server.trade_stream import trade_update
from tests.faults.plan import REQUEST, UPDATE, Fault, FaultPlan
from tests.faults.venue import VirtualVenue

ADDRESS = VenueAddress.local("http://127.0.0.1:1", "key", "secret")
LAGGING = ("/orders", "/account/activities/FILL")


class Answer(NamedTuple):
    """What is read of a response that failed; one of requests' own has cookies and locks, and takes long to make."""

    status_code: int
    headers: dict[str, str]
    request: None = None


class Request:
    """One on its way, and what it came back with. Who made it may be dead, and then nobody is told."""

    def __init__(
        self,
        method: str,
        path: str,
        data: dict[str, Any] | None,
        patience: float,
        fault: Fault | None,
        outcome: asyncio.Future[Any],
    ) -> None:
        self.method = method
        self.path = path
        self.data = data
        self.patience = patience
        self.fault = fault
        self.status = 0
        self.body: Any = None
        self._outcome = outcome

    def succeed(self) -> None:
        if not self._outcome.done():
            self._outcome.set_result(self.body)

    def fail(self, error: Exception) -> None:
        if not self._outcome.done():
            self._outcome.set_exception(error)


class Network:
    def __init__(self, venue: VirtualVenue, plan: FaultPlan, random: Random, now: Callable[[], int]) -> None:
        self._venue = venue
        self._plan = plan
        self._random = random
        self._now = now
        self.house: set[asyncio.Task[Any]] = set()
        """The day's own tasks, which are not the engine's."""
        self.held_back = 0
        """How many orders will be long on their way."""
        self._listener: Callable[[TradeUpdate], None] | None = None
        self._muted = False
        self._under_way = 0
        self._settled = asyncio.Event()
        self._settled.set()
        self._positions: deque[Any] = deque(maxlen=16)
        self._held: dict[str, Decimal] = {}
        self._shown: Any = None
        venue.floor.on_notices(self._tell)

    def listen(self, listener: Callable[[TradeUpdate], None] | None) -> None:
        """Who hears the stream; None while it is disconnected. There is no replay."""
        self._listener = listener

    def mute(self, muted: bool) -> None:
        self._muted = muted

    def remember_positions(self) -> None:
        """For the replica that lags; called twice a second."""
        if self._plan.has(Fault.READ_LAG):
            account = self._venue.desk.account
            held = {symbol: account.quantity(symbol) for symbol in account.holdings}
            if held != self._held or not self._positions:
                self._held, self._shown = held, self._venue.answer("GET", "/positions", None)[1]
            self._positions.append(self._shown)

    async def settle(self) -> None:
        """Until what is late has arrived."""
        await self._settled.wait()

    async def carry(self, method: str, path: str, data: dict[str, Any] | None, patience: float) -> Any:
        """One attempt, as `broker.session.Session` makes it: the body, or the error that alpaca-py's would become.

        The request goes on whatever becomes of who made it.
        """
        outcome: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        request = Request(method, path, data, patience, self._plan.of(REQUEST), outcome)
        held = 0.0
        latency = self._random.uniform(0.001, 0.02)
        if method == "POST" and self.held_back:
            self.held_back -= 1
            held = self._random.uniform(0.2, 0.9) * patience
        self._later(latency + held, self._arrive, request)
        return await outcome

    def _later(self, delay: float, work: Callable[[Request], None], request: Request) -> None:
        def done() -> None:
            self._under_way -= 1
            work(request)
            if not self._under_way:
                self._settled.set()

        self._under_way += 1
        self._settled.clear()
        asyncio.get_running_loop().call_later(delay, done)

    def _arrive(self, request: Request) -> None:
        """At the venue, or as far as it comes."""
        match request.fault:
            case Fault.UNREACHABLE:
                request.fail(self._error(requests.ConnectTimeout("unreachable")))
            case Fault.LOST_REQUEST:
                self._later(request.patience, self._give_up, request)
            case Fault.LATE_REQUEST:
                delay = request.patience * self._random.choice([0.5, 1.5, 4.0, 12.0])
                self._later(delay, self._arrive_late, request)
                self._later(request.patience, self._give_up, request)
            case Fault.TOO_MANY:
                headers = {"Retry-After": "1"}
                request.fail(self._failed(429, {"code": 42910000, "message": "rate limit exceeded"}, headers))
            case Fault.FAILED_BEFORE:
                request.fail(self._failed(500, {"code": 50010000, "message": "internal server error"}))
            case _:
                self._carry_out(request)

    def _give_up(self, request: Request) -> None:
        request.fail(self._error(requests.ReadTimeout(request.fault)))

    def _arrive_late(self, request: Request) -> None:
        self._venue.answer(request.method, request.path, request.data)

    def _carry_out(self, request: Request) -> None:
        status, body = self._venue.answer(request.method, request.path, request.data)
        if request.method == "GET":
            body = self._lag(request.path, status, body)
            status = 404 if body is _NOT_YET else status
        request.status, request.body = status, body
        slow = request.fault is Fault.SLOW
        self._later(self._random.uniform(0.0, request.patience * 0.8) if slow else 0.002, self._come_back, request)

    def _come_back(self, request: Request) -> None:
        match request.fault:
            case Fault.LOST_ANSWER:
                request.fail(self._error(requests.ConnectionError("connection reset by peer")))
            case Fault.FAILED_AFTER:
                request.fail(self._failed(500, {"code": 50010000, "message": "internal server error"}))
            case Fault.GATEWAY:
                request.fail(self._failed(504, None))
            case Fault.GARBLED:
                request.fail(self._error(requests.exceptions.JSONDecodeError("Expecting value", "<html>", 0)))
            case _ if request.status >= 400:
                body = request.body
                known = body if isinstance(body, dict) else {"code": 40410000, "message": "not found"}
                request.fail(self._failed(request.status, known))
            case _:
                request.succeed()

    def _lag(self, path: str, status: int, body: Any) -> Any:
        """A replica that is some seconds behind: what is younger is not there yet."""
        if path == "/positions":
            lags = len(self._positions) > 0 and self._plan.strikes(Fault.READ_LAG)
            return self._random.choice(self._positions) if lags else body
        if status != 200 or not path.startswith(LAGGING) or not self._plan.strikes(Fault.READ_LAG):
            return body
        horizon = self._now() - round(self._random.uniform(0.5, 8.0) * NANOSECONDS)
        if isinstance(body, list):
            return [one for one in body if _born(one) <= horizon]
        return body if _born(body) <= horizon else _NOT_YET

    def _error(self, error: Exception) -> Exception:
        return told_apart(error, ADDRESS, self._now())

    def _failed(self, status: int, body: Any, headers: dict[str, str] | None = None) -> Exception:
        failure = requests.HTTPError(response=cast(requests.Response, Answer(status, headers or {})))
        return self._error(APIError(json.dumps(body) if body else "<html>504 Gateway Time-out</html>", failure))

    def _tell(self, notices: list[Notice]) -> None:
        loop = asyncio.get_running_loop()
        for notice in notices:
            if self._muted:
                continue
            frame = msgspec.json.encode(trade_update(notice))
            fault = self._plan.of(UPDATE)
            if fault is Fault.LOST_UPDATE:
                continue
            delay = self._random.uniform(0.001, 0.01)
            if fault is Fault.LATE_UPDATE:
                delay += self._random.uniform(0.1, 5.0)
            # The connection that is open now is the one that will deliver it.
            listener = self._listener
            loop.call_later(delay, self._deliver, listener, frame)
            if fault is Fault.DOUBLE_UPDATE:
                loop.call_later(delay + self._random.uniform(0.0, 2.0), self._deliver, listener, frame)

    def _deliver(self, listener: Callable[[TradeUpdate], None] | None, frame: bytes) -> None:
        if listener is not None and listener is self._listener:
            listener(wire.trade_update(msgspec.json.decode(frame)))


_NOT_YET = object()


def _born(fields: Any) -> int:
    return parse_rfc3339(fields.get("created_at") or fields.get("transaction_time"))
