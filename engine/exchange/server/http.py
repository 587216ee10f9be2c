"""What every request passes: keys, rate limit, faults, counting, and errors as the venue words them."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web
from multidict import istr

from engine.domain.market import NANOSECONDS
from engine.exchange.desk import Desk
from engine.exchange.numbers import read_object
from engine.exchange.refusals import Refusal, malformed, not_found
from engine.exchange.server.faults import Armed, Fault, FaultKind
from engine.exchange.server.floor import Floor

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

DESK: web.RequestKey[Desk] = web.RequestKey("desk", Desk)
KEY_ID, SECRET = istr("APCA-API-KEY-ID"), istr("APCA-API-SECRET-KEY")
MAX_BODY = 256 * 1024
OPEN_PREFIXES = ("/v1beta3/crypto/", "/paddock/", "/stream", "/v2/iex", "/v2/sip", "/v2/test", "/v2/delayed_sip")
"""Paths that ask for no keys in the headers: crypto data is free, and streams authenticate inside."""

_log = logging.getLogger("exchange.http")
_encode = msgspec.json.Encoder().encode
_JSON = {"Content-Type": "application/json"}
_CODES = {404: 40410000, 405: 40510000, 413: 41310000}
_WINDOW = 60 * NANOSECONDS
_USUAL_LIMIT = 200
"""Requests a minute, in the headers of a 429 that is a fault: those of Alpaca's trading API."""


def reply(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=_encode(body), status=status, headers=_JSON)


def refuse(refusal: Refusal) -> web.Response:
    return reply(refusal.body, refusal.status)


async def read_json(request: web.Request) -> dict[str, Any]:
    """The body as a JSON object, numbers as Decimal. Raises Refusal."""
    return read_object(await request.read())


class RateLimit:
    """Requests a minute and key in fixed windows, as the venue counts them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._window = 0
        self._used: dict[str, int] = {}

    def take(self, key: str, now: int) -> dict[str, str]:
        """The headers of the answer; X-RateLimit-Remaining is negative when the request is one too many."""
        window = now // _WINDOW
        if window != self._window:
            self._window = window
            self._used.clear()
        used = self._used[key] = self._used.get(key, 0) + 1
        return rate_headers(self._limit, self._limit - used, now)


def rate_headers(limit: int, remaining: int, now: int) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str((now // _WINDOW + 1) * 60),
    }


class Gate:
    """The one middleware. A request either answers as its route does, or with a refusal; never with a traceback."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._rate = RateLimit(floor.options.rate_limit) if floor.options.rate_limit else None

    @web.middleware
    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        floor = self._floor
        floor.counters.requests += 1
        armed = self._fault(request) if floor.faults.armed else None
        if armed is None or not armed.fault.acts_first:
            response = await self._answer(request, handler, armed)
        else:
            answer = await self._answer(request, handler)
            response = await self._interfere(armed, request) or answer
        if response.status >= 400:
            floor.counters.refused += 1
        return response

    def _fault(self, request: web.Request) -> Armed | None:
        return self._floor.faults.for_request(request.method, request.path, "Upgrade" in request.headers)

    async def _interfere(self, armed: Armed, request: web.Request) -> web.Response | None:
        """What the client is told in the place of the answer; None when it may have that, now."""
        fault = armed.fault
        if fault.kind is FaultKind.HTTP_STATUS:
            return _error(fault, self._floor)
        if fault.kind is FaultKind.DELAY:
            await asyncio.sleep(fault.seconds)
            return None
        if fault.kind is FaultKind.HANG and await self._floor.faults.hang(armed, lambda: request.transport is None):
            return None
        return _lost(request)

    async def _answer(self, request: web.Request, handler: Handler, first: Armed | None = None) -> web.StreamResponse:
        """`first` is the fault that comes before the act."""
        try:
            if first is not None:
                # The whole request has arrived before its client can leave.
                await request.read()
                if (told := await self._interfere(first, request)) is not None:
                    return told
            headers = self._admit(request)
            if headers and int(headers["X-RateLimit-Remaining"]) < 0:
                headers["X-RateLimit-Remaining"] = "0"
                response: web.StreamResponse = reply(_TOO_MANY, 429)
            else:
                response = self._past(request) or await handler(request)
            if headers:
                response.headers.update(headers)
            return response
        except Refusal as refusal:
            return refuse(refusal)
        except web.HTTPException as error:
            code = _CODES.get(error.status, error.status * 100_000)
            return reply({"code": code, "message": (error.reason or "error").lower()}, error.status)
        except ConnectionError:
            return _lost(request)
        except UnicodeDecodeError:
            return refuse(malformed("request cannot be decoded"))
        except Exception:
            # The last resort of a server: the caller gets an answer, the log gets the defect.
            self._floor.counters.failures += 1
            _log.exception("%s %s failed", request.method, request.path)
            return reply(_INTERNAL, 500)

    def _admit(self, request: web.Request) -> dict[str, str] | None:
        """The headers of a limited rate, or None."""
        if request.path.startswith(OPEN_PREFIXES):
            return None
        key = request.headers.get(KEY_ID, "")
        request[DESK] = self._floor.enter(key, request.headers.get(SECRET, ""))
        return None if self._rate is None else self._rate.take(key, self._floor.now())

    def _past(self, request: web.Request) -> web.Response | None:
        """The old answer of a read that lags. For orders the route itself answers, from the desk of that time."""
        lag, path = self._floor.lag, request.path
        if lag is None or request.method != "GET" or not _LAGGING.match(path):
            return None
        account_id, now = request[DESK].account_id, self._floor.monotonic()
        self._floor.faults.lagged(lag.armed)
        if path.startswith("/v2/orders"):
            request[DESK] = lag.desk(account_id, now)
            return None
        if path == "/v2/account":
            return reply(lag.answer("account", account_id, now))
        positions = lag.answer("positions", account_id, now)
        return reply(positions if path == "/v2/positions" else _one_position(positions, path))


_LAGGING = re.compile(r"/v2/(orders|positions\b|account$)")
_TOO_MANY = {"code": 42910000, "message": "rate limit exceeded"}
_INTERNAL = {"code": 50010000, "message": "internal server error"}


def _one_position(positions: list[dict[str, Any]], path: str) -> dict[str, Any]:
    """Raises Refusal when there was none."""
    name = path.removeprefix("/v2/positions/").replace("/", "").upper()
    for position in positions:
        if name in (position["symbol"], position["asset_id"].upper()):
            return position
    raise not_found("position does not exist")


def _error(fault: Fault, floor: Floor) -> web.Response:
    if fault.html:
        page = f"<html><head><title>{fault.status}</title></head><body><h1>{fault.status}</h1></body></html>"
        return web.Response(text=page, status=fault.status, content_type="text/html")
    if fault.status != 429:
        said = _INTERNAL if fault.status == 500 else {"code": fault.status * 100_000, "message": "injected fault"}
        return reply(said, fault.status)
    response = reply(_TOO_MANY, 429)
    response.headers.update(rate_headers(floor.options.rate_limit or _USUAL_LIMIT, 0, floor.now()))
    response.headers["X-RateLimit-Reset"] = str(math.ceil(floor.now() / NANOSECONDS + fault.seconds))
    return response


def _lost(request: web.Request) -> web.Response:
    """Close the connection; the response object only satisfies the server."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
