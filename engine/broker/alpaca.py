"""Alpaca through alpaca-py: the Broker for demo, paper and live.

Orders, cancels and reads have threads and connections of their own, and the first two several, so that a request that
hangs holds up neither a cancel nor an order that closes a position.
Amounts travel as strings, because alpaca-py's own request models turn them into floats.
"""

from __future__ import annotations

import asyncio
import logging
import statistics
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from engine.broker import bodies, wire
from engine.broker.address import VenueAddress
from engine.broker.base import (
    Asset,
    MarketClock,
    NotSentError,
    OrderRefusedError,
    OutcomeUnknownError,
    VenueBooking,
    VenueFill,
    VenueOrder,
)
from engine.broker.limiter import RateLimiter, Use
from engine.broker.outcomes import as_unavailable
from engine.broker.pool import Pool
from engine.broker.session import READ_TIMEOUT, Requests, Session
from engine.clock import Clock
from engine.domain.errors import UnavailableError
from engine.domain.orders import Order
from engine.domain.portfolio import Account, VenuePosition
from engine.domain.timestamps import format_rfc3339

log = logging.getLogger(__name__)

T = TypeVar("T")

ORDER_CONNECTIONS = CANCEL_CONNECTIONS = 4
READ_ATTEMPTS = 3
READ_PAUSE = 0.5
CANCEL_ATTEMPTS = 3
CANCEL_PAUSE = 0.25
CANCEL_TIMEOUT = 5.0
LONGEST_CANCEL_PAUSE = 2.0
PAGE = 500
ACTIVITY_PAGE = 100
MOST_PAGES = 50
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)


class AlpacaBroker:
    """`connect` makes a session from its name and its read time-out in seconds; by default one with alpaca-py."""

    def __init__(
        self,
        address: VenueAddress,
        clock: Clock,
        read_timeout: float = READ_TIMEOUT,
        per_minute: float = 200.0,
        connect: Callable[[str, float], Requests] | None = None,
    ) -> None:
        self.skipped = 0
        """Orders in the venue's lists that could not be read: foreign ones of kinds we do not know."""
        connect = connect or (lambda name, timeout: Session(address, name, clock, timeout))
        self._orders = Pool(lambda: connect("orders", read_timeout), ORDER_CONNECTIONS)
        self._cancels = Pool(lambda: connect("cancels", min(read_timeout, CANCEL_TIMEOUT)), CANCEL_CONNECTIONS)
        self._reads = connect("reads", read_timeout)
        self._limiter = RateLimiter(clock, per_minute)

    @property
    def latency_ms(self) -> float:
        return self._reads.latencies[-1] if self._reads.latencies else -1.0

    @property
    def latency_p50_ms(self) -> float:
        """Median of the last hundred reads; -1 before the first."""
        return statistics.median(self._reads.latencies) if self._reads.latencies else -1.0

    @property
    def limit_used(self) -> float:
        """Share of the venue's request limit in use, 0 to 1."""
        return self._limiter.used

    async def warm_up(self) -> None:
        # One after another: they share the import of alpaca-py.
        for session in (self._reads, self._orders, self._cancels):
            await session.warm_up()

    async def submit(self, order: Order) -> VenueOrder:
        await self._limiter.acquire(Use.ORDER)
        return await self._send("POST", "/orders", bodies.placing(order))

    async def replace(self, venue_order_id: str, order: Order) -> VenueOrder:
        await self._limiter.acquire(Use.ORDER)
        return await self._send("PATCH", f"/orders/{quote(venue_order_id)}", bodies.replacing(order))

    async def _send(self, method: str, path: str, body: dict[str, Any]) -> VenueOrder:
        try:
            return wire.order(await self._orders.request(method, path, body))
        except NotSentError as error:
            if error.retry_after > 0:
                self._limiter.exceeded()
            raise
        except UNREADABLE as error:
            raise OutcomeUnknownError(
                f"The venue's answer to an order cannot be read: {error}", "The engine asks what became of it."
            ) from error

    async def cancel(self, venue_order_id: str) -> None:
        try:
            await self._cancel(f"/orders/{quote(venue_order_id)}", again=(NotSentError, OutcomeUnknownError))
        except OrderRefusedError as error:
            # 422: not cancelable any more; 404: unknown. What it is now, the stream or a read tells.
            if error.http not in {404, 422}:
                raise as_unavailable(error) from error

    async def cancel_all(self) -> int:
        # After an unclear answer it is not repeated: it could hit orders that were placed since.
        try:
            answer = await self._cancel("/orders", again=(NotSentError,))
        except OrderRefusedError as error:
            raise as_unavailable(error) from error
        return len(answer) if isinstance(answer, list) else 0

    async def order_by_client_id(self, client_order_id: str) -> VenueOrder | None:
        path = "/orders:by_client_order_id"
        return await self._find(path, {"client_order_id": client_order_id}, wire.order)

    async def order_by_id(self, venue_order_id: str) -> VenueOrder | None:
        return await self._find(f"/orders/{quote(venue_order_id)}", {"nested": "true"}, wire.order)

    async def open_orders(self) -> Sequence[VenueOrder]:
        return await self._order_pages({"status": "open"})

    async def closed_orders(self, after: int) -> Sequence[VenueOrder]:
        return await self._order_pages({"status": "closed", "after": format_rfc3339(after)})

    async def fills(self, after: int) -> Sequence[VenueFill]:
        return await self._activities("/account/activities/FILL", after, {}, wire.fill_activity)

    async def bookings(self, after: int, kinds: Sequence[str]) -> Sequence[VenueBooking]:
        query = {"activity_types": ",".join(kinds)}
        return await self._activities("/account/activities", after, query, wire.booking)

    async def account(self) -> Account:
        return _parsed(wire.account, await self._read("/account"))

    async def positions(self) -> Sequence[VenuePosition]:
        return [_parsed(wire.position, fields) for fields in await self._read_list("/positions")]

    async def clock(self) -> MarketClock:
        return _parsed(wire.market_clock, await self._read("/clock"))

    async def asset(self, symbol: str) -> Asset | None:
        return await self._find(f"/assets/{quote(symbol)}", None, wire.asset)

    async def close(self) -> None:
        for session in (self._orders, self._cancels, self._reads):
            await session.close()

    async def _activities(self, path: str, after: int, query: dict[str, Any], parse: Callable[[Any], T]) -> list[T]:
        found: list[T] = []
        query = {**query, "after": format_rfc3339(after), "direction": "asc", "page_size": ACTIVITY_PAGE}
        for _ in range(MOST_PAGES):
            page = await self._read_list(path, query)
            # One that cannot be read may be ours, so none are taken.
            found += [_parsed(parse, fields) for fields in page]
            if len(page) < ACTIVITY_PAGE:
                break
            query = {**query, "page_token": page[-1]["id"]}
        return found

    async def _order_pages(self, query: dict[str, Any]) -> list[VenueOrder]:
        """Oldest first; pages by `after`, which is exclusive, so orders of one instant are asked for again."""
        found: dict[str, VenueOrder] = {}
        query = {**query, "limit": PAGE, "direction": "asc"}
        for _ in range(MOST_PAGES):
            page = await self._read_list("/orders", query)
            orders = [order for fields in page if (order := self._readable(fields)) is not None]
            fresh = [order for order in orders if order.venue_order_id not in found]
            found.update((order.venue_order_id, order) for order in fresh)
            if len(page) < PAGE or not fresh:
                break
            query["after"] = format_rfc3339(orders[-1].created_at - 1_000)
        return list(found.values())

    def _readable(self, fields: Any) -> VenueOrder | None:
        """None for an order of a kind we do not know: one of them must not hide all others.

        Ours are of known kinds; if one of them is left out, whoever asks for it by its id gets the error.
        """
        try:
            return wire.order(fields)
        except UNREADABLE as error:
            self.skipped += 1
            log.warning("An order in the venue's list cannot be read and is left out: %r: %.200r", error, fields)
            return None

    async def _cancel(self, path: str, again: tuple[type[Exception], ...]) -> Any:
        """Raises OrderRefusedError, UnavailableError, CredentialsError."""
        attempt = 1
        while True:
            await self._limiter.acquire(Use.CANCEL)
            try:
                return await self._cancels.request("DELETE", path)
            except (NotSentError, OutcomeUnknownError) as error:
                if attempt == CANCEL_ATTEMPTS or not isinstance(error, again):
                    raise as_unavailable(error) from error
                wait = error.retry_after if isinstance(error, NotSentError) else 0.0
            await asyncio.sleep(min(max(wait, CANCEL_PAUSE * attempt), LONGEST_CANCEL_PAUSE))
            attempt += 1

    async def _find(self, path: str, query: dict[str, Any] | None, parse: Callable[[Any], T]) -> T | None:
        try:
            fields = await self._get(path, query)
        except OrderRefusedError as error:
            if error.http == 404:
                return None
            raise as_unavailable(error) from error
        return _parsed(parse, fields)

    async def _read(self, path: str) -> Any:
        try:
            return await self._get(path)
        except OrderRefusedError as error:
            raise as_unavailable(error) from error

    async def _read_list(self, path: str, query: dict[str, Any] | None = None) -> list[Any]:
        try:
            found = await self._get(path, query)
        except OrderRefusedError as error:
            raise as_unavailable(error) from error
        # "Nothing" must never be concluded from an answer that is no list.
        if not isinstance(found, list):
            raise UnavailableError(f"The venue answered {path} with something that is no list.", "It is asked again.")
        return found

    async def _get(self, path: str, query: dict[str, Any] | None = None) -> Any:
        """A read may be repeated. Raises UnavailableError, CredentialsError; OrderRefusedError for other 4xx."""
        attempt = 1
        while True:
            await self._limiter.acquire(Use.READ)
            try:
                return await self._reads.request("GET", path, query)
            except (NotSentError, OutcomeUnknownError) as error:
                wait = error.retry_after if isinstance(error, NotSentError) else 0.0
                if wait > 0:
                    self._limiter.exceeded()
                if attempt == READ_ATTEMPTS:
                    raise as_unavailable(error) from error
            await asyncio.sleep(max(wait, READ_PAUSE * attempt))
            attempt += 1


def _parsed(parse: Callable[[Any], T], fields: Any) -> T:
    try:
        return parse(fields)
    except UNREADABLE as error:
        raise UnavailableError(
            f"The venue's answer cannot be read: {type(error).__name__}: {error}", "It is asked again."
        ) from error
