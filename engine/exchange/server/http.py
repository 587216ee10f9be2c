"""What every request passes: keys, rate limit, faults, counting, and errors as the venue words them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from engine.domain.market import NANOSECONDS
from engine.exchange.desk import Desk
from engine.exchange.numbers import read_object
from engine.exchange.refusals import Refusal, malformed
from engine.exchange.server.faults import Fault, FaultKind
from engine.exchange.server.floor import Floor

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

DESK: web.RequestKey[Desk] = web.RequestKey("desk", Desk)
MAX_BODY = 256 * 1024
OPEN_PREFIXES = ("/v1beta3/crypto/", "/paddock/", "/stream", "/v2/iex", "/v2/sip", "/v2/test", "/v2/delayed_sip")
"""Paths that ask for no keys in the headers: crypto data is free, and streams authenticate inside."""

_log = logging.getLogger("exchange.http")
_encode = msgspec.json.Encoder().encode
_JSON = {"Content-Type": "application/json"}
_CODES = {404: 40410000, 405: 40510000, 413: 41310000}


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
        window = now // (60 * NANOSECONDS)
        if window != self._window:
            self._window = window
            self._used.clear()
        used = self._used[key] = self._used.get(key, 0) + 1
        return {
            "X-RateLimit-Limit": str(self._limit),
            "X-RateLimit-Remaining": str(self._limit - used),
            "X-RateLimit-Reset": str((window + 1) * 60),
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
        admin = request.path.startswith("/paddock/")
        fault = None if admin else floor.faults.for_request(request.method, request.path)
        if fault is not None and fault.kind is FaultKind.HTTP_STATUS and not fault.after:
            return _faulty(fault)
        if fault is not None and fault.kind is FaultKind.DELAY:
            return await self._delayed(fault, request, handler)
        response = await self._answer(request, handler)
        if fault is not None:
            return _lost(request) if fault.kind is FaultKind.LOSE_RESPONSE else _faulty(fault)
        if response.status >= 400:
            floor.counters.refused += 1
        return response

    async def _delayed(self, fault: Fault, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not fault.after:
            await asyncio.sleep(fault.seconds)
        response = await self._answer(request, handler)
        if fault.after:
            await asyncio.sleep(fault.seconds)
        return response

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            headers = self._admit(request)
            if int(headers.get("X-RateLimit-Remaining", "0")) < 0:
                headers["X-RateLimit-Remaining"] = "0"
                response: web.StreamResponse = reply({"code": 42910000, "message": "rate limit exceeded"}, 429)
            else:
                response = await handler(request)
            if headers:
                response.headers.update(headers)
            return response
        except Refusal as refusal:
            return refuse(refusal)
        except web.HTTPException as error:
            code = _CODES.get(error.status, error.status * 100_000)
            return reply({"code": code, "message": (error.reason or "error").lower()}, error.status)
        except UnicodeDecodeError:
            return refuse(malformed("request cannot be decoded"))
        except Exception:
            # The last resort of a server: the caller gets an answer, the log gets the defect.
            self._floor.counters.failures += 1
            _log.exception("%s %s failed", request.method, request.path)
            return reply({"code": 50010000, "message": "internal server error"}, 500)

    def _admit(self, request: web.Request) -> dict[str, str]:
        if request.path.startswith(OPEN_PREFIXES):
            return {}
        key = request.headers.get("APCA-API-KEY-ID", "")
        request[DESK] = self._floor.enter(key, request.headers.get("APCA-API-SECRET-KEY", ""))
        return {} if self._rate is None else self._rate.take(key, self._floor.now())


def _faulty(fault: Fault) -> web.Response:
    response = reply({"code": fault.status * 100_000, "message": "injected fault"}, fault.status)
    response.headers["Retry-After"] = "1"
    return response


def _lost(request: web.Request) -> web.Response:
    """Close the connection; the response object only satisfies the server."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
