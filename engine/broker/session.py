"""One alpaca-py client on one thread: time-outs put in, its retries taken out, its errors told apart.

alpaca-py has no time-out, and repeats a POST on 429 and 504, which can double an order; `_retry = 0` stops that and
is the only way. `requests` sends even 127.0.0.1 through a proxy of the environment unless told not to.
"""

from __future__ import annotations

import functools
from collections import deque
from typing import Any, Protocol

from engine.broker.address import VenueAddress
from engine.broker.lane import Lane
from engine.broker.outcomes import told_apart
from engine.clock import Clock

CONNECT_TIMEOUT = 3.05
READ_TIMEOUT = 10.0
LATENCIES_KEPT = 100


class Requests(Protocol):
    """A connection to the venue. `request` makes one attempt and raises what `engine.broker.base` names."""

    latencies: deque[float]

    @property
    def busy(self) -> int: ...

    async def warm_up(self) -> None: ...

    async def request(self, method: str, path: str, data: dict[str, Any] | None = None) -> Any: ...

    async def close(self) -> None: ...


class Session:
    """Requests are made one after another."""

    def __init__(self, address: VenueAddress, name: str, clock: Clock, read_timeout: float = READ_TIMEOUT) -> None:
        self.latencies: deque[float] = deque(maxlen=LATENCIES_KEPT)
        """Milliseconds of the last requests that were answered well, newest last."""
        self._address = address
        self._clock = clock
        self._timeout = (CONNECT_TIMEOUT, read_timeout)
        self._lane = Lane(f"broker-{name}")
        self._client: Any = None

    @property
    def busy(self) -> int:
        """How many requests wait or are under way, also such as their callers have given up."""
        return self._lane.busy

    async def warm_up(self) -> None:
        await self._lane.run(self._connect)

    async def request(self, method: str, path: str, data: dict[str, Any] | None = None) -> Any:
        """The decoded body. `path` comes after /v2. One attempt."""
        return await self._lane.run(functools.partial(self._request, method, path, data))

    async def close(self) -> None:
        """A request that hangs is left to its own time-out."""
        self._lane.close()
        if self._client is not None:
            self._client._session.close()

    def _connect(self) -> Any:
        if self._client is None:
            # The client that TradingClient is built on: its models of requests, which turn amounts into floats, would
            # bring pandas, 0.5 s and 43 MB. Loaded here, so that the window is painted before it.
            from alpaca.common.rest import RESTClient

            from engine.broker.sending import Sending

            address = self._address
            client: Any = RESTClient(address.trading_url, address.key, address.secret, raw_data=True)
            client._retry = 0
            client._session = Sending(address.trading_url, self._timeout, trust_env=not address.is_loopback)
            self._client = client
        return self._client

    def _request(self, method: str, path: str, data: dict[str, Any] | None) -> Any:
        client = self._connect()
        started = self._clock.monotonic()
        try:
            body = client._request(method, path, data)
        except Exception as error:
            raise told_apart(error, self._address, self._clock.now()) from error
        self.latencies.append((self._clock.monotonic() - started) * 1000)
        return body
