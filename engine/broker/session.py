"""One alpaca-py client on one thread: time-outs put in, its retries taken out, its errors told apart.

alpaca-py has no time-out, and repeats a POST on 429 and 504, which can double an order; `_retry = 0` stops that and
is the only way. `requests` sends even 127.0.0.1 through a proxy of the environment unless told not to.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from engine.broker.address import VenueAddress
from engine.broker.base import DuplicateOrderError, NotSentError, OrderRefusedError, OutcomeUnknownError
from engine.domain.errors import CredentialsError, PaddockError, UnavailableError

CONNECT_TIMEOUT = 3.05
READ_TIMEOUT = 10.0
DUPLICATE = 40010001


class Session:
    """Requests are made one after another. `get`, `post` … raise what `engine.broker.base` names."""

    def __init__(self, address: VenueAddress, name: str, read_timeout: float = READ_TIMEOUT, threads: int = 1) -> None:
        self.latency_ms = -1.0
        self._address = address
        self._timeout = (CONNECT_TIMEOUT, read_timeout)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"broker-{name}")
        self._client: Any = None

    async def warm_up(self) -> None:
        await self._run(self._connect)

    async def request(self, method: str, path: str, data: dict[str, Any] | None = None) -> Any:
        """The decoded body. `path` comes after /v2."""
        return await self._run(functools.partial(self._request, method, path, data))

    async def close(self) -> None:
        """A request that hangs is left to its own time-out."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._client is not None:
            self._client._session.close()

    async def _run(self, call: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    def _connect(self) -> Any:
        if self._client is None:
            # alpaca-py brings pandas: 0.9 s and 90 MB, so it waits until the window has been painted.
            from alpaca.trading.client import TradingClient

            address = self._address
            client: Any = TradingClient(address.key, address.secret, url_override=address.trading_url, raw_data=True)
            client._retry = 0
            client._session.request = functools.partial(client._session.request, timeout=self._timeout)
            if address.is_loopback:
                client._session.trust_env = False
            self._client = client
        return self._client

    def _request(self, method: str, path: str, data: dict[str, Any] | None) -> Any:
        client = self._connect()
        started = time.perf_counter()
        try:
            body = client._request(method, path, data)
        except Exception as error:
            raise _told_apart(error, self._address) from error
        self.latency_ms = (time.perf_counter() - started) * 1000
        return body


def _told_apart(error: Exception, address: VenueAddress) -> PaddockError:
    import requests
    from alpaca.common.exceptions import APIError

    if isinstance(error, APIError):
        return _answered(error, address)
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError) or _never_connected(error):
        return NotSentError(f"{address.trading_url} cannot be reached.", "Check the network; the engine keeps trying.")
    return OutcomeUnknownError(
        f"The venue did not answer clearly: {type(error).__name__}: {error}"[:300],
        "The engine asks the venue what became of it.",
    )


def _never_connected(error: Exception) -> bool:
    """requests wraps urllib3's NewConnectionError (refused, no route, no such host) in its ConnectionError."""
    text = repr(error)
    return "NewConnectionError" in text or "NameResolutionError" in text


def _answered(error: Any, address: VenueAddress) -> PaddockError:
    http = error.status_code
    code, message = _code_and_message(error)
    if http == 401:
        return CredentialsError(
            f"The venue refused the API keys ({address.key[:4]}…): {message}",
            "Check that the keys belong to this account: paper and live have different ones.",
        )
    if http == 429:
        return NotSentError("The venue's request limit is reached.", "It is tried again shortly.", _reset_in(error))
    if http is None or http >= 500 or http in {408, 425}:
        return OutcomeUnknownError(
            f"The venue failed with HTTP {http}: {message}", "The engine asks what became of it."
        )
    if code == DUPLICATE and "unique" in message:
        return DuplicateOrderError(message, code=code)
    return OrderRefusedError(message, code=code)


def _code_and_message(error: Any) -> tuple[int, str]:
    """`code` and `message` of APIError raise for bodies that are not the JSON they expect."""
    try:
        return int(error.code), str(error.message)
    except (KeyError, ValueError, TypeError, AttributeError):
        return 0, str(error)[:300]


def _reset_in(error: Any) -> float:
    try:
        return max(float(error.response.headers["X-RateLimit-Reset"]) - time.time(), 0.5)
    except (KeyError, ValueError, AttributeError, TypeError):
        return 1.0


def as_read_error(error: PaddockError) -> PaddockError:
    """A read has no outcome to be unsure of: it just did not work."""
    if isinstance(error, CredentialsError | OrderRefusedError):
        return error
    return UnavailableError(error.message, error.remedy)
