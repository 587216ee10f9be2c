"""Between engine and venue: requests and updates that are delayed, lost, repeated and garbled, as the plan has it."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

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


class Network:
    def __init__(self, venue: VirtualVenue, plan: FaultPlan, random: Random, now: Callable[[], int]) -> None:
        self._venue = venue
        self._plan = plan
        self._random = random
        self._now = now
        self.tasks: set[asyncio.Task[Any]] = set()
        """Requests on their way; they go on whatever becomes of who sent them."""
        self.house: set[asyncio.Task[Any]] = set()
        """The day's own tasks, which are not the engine's."""
        self.held_back = 0
        """How many orders will be long on their way."""
        self._listener: Callable[[TradeUpdate], None] | None = None
        self._muted = False
        self._positions: deque[Any] = deque(maxlen=16)
        venue.floor.on_notices(self._tell)

    def listen(self, listener: Callable[[TradeUpdate], None] | None) -> None:
        """Who hears the stream; None while it is disconnected. There is no replay."""
        self._listener = listener

    def mute(self, muted: bool) -> None:
        self._muted = muted

    async def remember_positions(self) -> None:
        """For the replica that lags; called twice a second."""
        if self._plan.has(Fault.READ_LAG):
            self._positions.append((await self._venue.answer("GET", "/positions", None))[1])

    async def settle(self) -> None:
        """Until what is late has arrived."""
        while self.tasks:
            await asyncio.wait(self.tasks)

    async def carry(self, method: str, path: str, data: dict[str, Any] | None, patience: float) -> Any:
        """One attempt, as `broker.session.Session` makes it: the body, or the error that alpaca-py's would become."""
        return await asyncio.shield(self._spawn(self._request(method, path, data, patience)))

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._arrived)
        return task

    def _arrived(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled():
            task.exception()  # who sent it may be dead; the loop need not complain

    async def _request(self, method: str, path: str, data: dict[str, Any] | None, patience: float) -> Any:
        fault = self._plan.of(REQUEST)
        await asyncio.sleep(self._random.uniform(0.001, 0.02))
        if method == "POST" and self.held_back:
            self.held_back -= 1
            await asyncio.sleep(self._random.uniform(0.2, 0.9) * patience)
        match fault:
            case Fault.UNREACHABLE:
                raise self._error(requests.ConnectTimeout("unreachable"))
            case Fault.LOST_REQUEST:
                await asyncio.sleep(patience)
                raise self._error(requests.ReadTimeout("lost"))
            case Fault.LATE_REQUEST:
                self._send_later(method, path, data, patience)
                await asyncio.sleep(patience)
                raise self._error(requests.ReadTimeout("late"))
            case Fault.TOO_MANY:
                raise self._failed(429, {"code": 42910000, "message": "rate limit exceeded"}, {"Retry-After": "1"})
            case Fault.FAILED_BEFORE:
                raise self._failed(500, {"code": 50010000, "message": "internal server error"})
        status, body = await self._venue.answer(method, path, data)
        if method == "GET":
            body = self._lag(path, status, body)
            status = 404 if body is _NOT_YET else status
        await asyncio.sleep(self._random.uniform(0.0, patience * 0.8) if fault is Fault.SLOW else 0.002)
        match fault:
            case Fault.LOST_ANSWER:
                raise self._error(requests.ConnectionError("connection reset by peer"))
            case Fault.FAILED_AFTER:
                raise self._failed(500, {"code": 50010000, "message": "internal server error"})
            case Fault.GATEWAY:
                raise self._failed(504, None)
            case Fault.GARBLED:
                raise self._error(requests.exceptions.JSONDecodeError("Expecting value", "<html>", 0))
        if status >= 400:
            raise self._failed(status, body if isinstance(body, dict) else {"code": 40410000, "message": "not found"})
        return body

    def _send_later(self, method: str, path: str, data: dict[str, Any] | None, patience: float) -> None:
        async def arrive() -> None:
            await asyncio.sleep(patience * self._random.choice([0.5, 1.5, 4.0, 12.0]))
            await self._venue.answer(method, path, data)

        self._spawn(arrive())

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
        response = requests.Response()
        response.status_code = status
        response.headers.update(headers or {})
        failure = requests.HTTPError(response=response)
        return self._error(APIError(json.dumps(body) if body else "<html>504 Gateway Time-out</html>", failure))

    def _tell(self, notices: list[Notice]) -> None:
        loop = asyncio.get_running_loop()
        for notice in notices:
            if self._muted:
                continue
            frame = json.dumps(trade_update(notice))
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

    def _deliver(self, listener: Callable[[TradeUpdate], None] | None, frame: str) -> None:
        if listener is not None and listener is self._listener:
            listener(wire.trade_update(json.loads(frame)))


_NOT_YET = object()


def _born(fields: Any) -> int:
    return parse_rfc3339(fields.get("created_at") or fields.get("transaction_time"))
