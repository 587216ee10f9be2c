"""Alpaca through alpaca-py: the Broker for demo, paper and live.

Orders, cancels and reads have a thread and a connection each, so that a submit that hangs cannot hold up a cancel.
Amounts travel as strings, because alpaca-py's own request models turn them into floats.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

from engine.broker import wire
from engine.broker.address import VenueAddress
from engine.broker.base import (
    Asset,
    MarketClock,
    NotSentError,
    OrderRefusedError,
    OutcomeUnknownError,
    VenueFill,
    VenueOrder,
)
from engine.broker.limiter import RateLimiter
from engine.broker.session import READ_TIMEOUT, Session, as_read_error
from engine.clock import Clock
from engine.domain.errors import OrderError, UnavailableError
from engine.domain.orders import Order
from engine.domain.portfolio import Account, VenuePosition
from engine.domain.timestamps import format_rfc3339

T = TypeVar("T")

READ_ATTEMPTS = 3
READ_PAUSE = 0.5
PAGE = 500
ACTIVITY_PAGE = 100
MOST_PAGES = 50


class AlpacaBroker:
    def __init__(self, address: VenueAddress, clock: Clock, read_timeout: float = READ_TIMEOUT) -> None:
        self._orders = Session(address, "orders", read_timeout)
        self._cancels = Session(address, "cancels", read_timeout)
        self._reads = Session(address, "reads", read_timeout)
        self._limiter = RateLimiter(clock)
        self._assets: dict[str, Asset | None] = {}

    @property
    def latency_ms(self) -> float:
        return self._reads.latency_ms

    async def warm_up(self) -> None:
        # One after another: they share the import of alpaca-py.
        for session in (self._reads, self._orders, self._cancels):
            await session.warm_up()

    async def submit(self, order: Order) -> VenueOrder:
        await self._limiter.acquire()
        body: dict[str, Any] = {
            "symbol": order.symbol,
            "qty": format(order.quantity, "f"),
            "side": order.side.value,
            "type": order.type.value,
            "time_in_force": order.time_in_force.value,
            "client_order_id": order.client_order_id,
        }
        if order.limit_price is not None:
            body["limit_price"] = format(order.limit_price, "f")
        answer = await self._orders.request("POST", "/orders", body)
        try:
            return wire.order(answer)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutcomeUnknownError(
                f"The venue's answer to an order cannot be read: {error}", "The engine asks what became of it."
            ) from error

    async def cancel(self, venue_order_id: str) -> None:
        await self._limiter.acquire(urgent=True)
        try:
            await self._cancels.request("DELETE", f"/orders/{quote(venue_order_id)}")
        except OrderRefusedError as error:
            # 422: not cancelable any more; 404: unknown. What it is now, the stream or a read tells.
            if error.code // 100_000 not in {404, 422}:
                raise

    async def cancel_all(self) -> int:
        await self._limiter.acquire(urgent=True)
        answer = await self._cancels.request("DELETE", "/orders")
        return len(answer) if isinstance(answer, list) else 0

    async def order_by_client_id(self, client_order_id: str) -> VenueOrder | None:
        path = "/orders:by_client_order_id"
        return await self._find(path, {"client_order_id": client_order_id}, wire.order)

    async def order_by_id(self, venue_order_id: str) -> VenueOrder | None:
        return await self._find(f"/orders/{quote(venue_order_id)}", None, wire.order)

    async def open_orders(self) -> Sequence[VenueOrder]:
        return await self._order_pages({"status": "open"})

    async def closed_orders(self, after: int) -> Sequence[VenueOrder]:
        return await self._order_pages({"status": "closed", "after": format_rfc3339(after)})

    async def fills(self, after: int) -> Sequence[VenueFill]:
        found: list[VenueFill] = []
        query: dict[str, Any] = {
            "after": format_rfc3339(after), "direction": "asc", "page_size": ACTIVITY_PAGE
        }  # fmt: skip
        for _ in range(MOST_PAGES):
            page = await self._read("/account/activities/FILL", query)
            found += [wire.fill_activity(fields) for fields in page]
            if len(page) < ACTIVITY_PAGE:
                break
            query = {**query, "page_token": page[-1]["id"]}
        return found

    async def account(self) -> Account:
        return self._parsed(wire.account, await self._read("/account"))

    async def positions(self) -> Sequence[VenuePosition]:
        return [self._parsed(wire.position, fields) for fields in await self._read("/positions")]

    async def clock(self) -> MarketClock:
        return self._parsed(wire.market_clock, await self._read("/clock"))

    async def asset(self, symbol: str) -> Asset | None:
        """Answers are kept for the life of this broker; what a symbol allows changes rarely."""
        if symbol not in self._assets:
            self._assets[symbol] = await self._find(f"/assets/{symbol}", None, wire.asset)
        return self._assets[symbol]

    async def close(self) -> None:
        for session in (self._orders, self._cancels, self._reads):
            await session.close()

    async def _order_pages(self, query: dict[str, Any]) -> list[VenueOrder]:
        """Oldest first; pages by `after`, which is exclusive, so orders of one instant are asked for again."""
        found: dict[str, VenueOrder] = {}
        query = {**query, "limit": PAGE, "direction": "asc"}
        for _ in range(MOST_PAGES):
            page = [self._parsed(wire.order, fields) for fields in await self._read("/orders", query)]
            fresh = [order for order in page if order.venue_order_id not in found]
            found.update((order.venue_order_id, order) for order in fresh)
            if len(page) < PAGE or not fresh:
                break
            query["after"] = format_rfc3339(page[-1].created_at - 1_000)
        return list(found.values())

    async def _find(self, path: str, query: dict[str, Any] | None, parse: Callable[[Any], T]) -> T | None:
        try:
            return self._parsed(parse, await self._read(path, query))
        except OrderRefusedError as error:
            if error.code // 100_000 == 404:
                return None
            raise

    async def _read(self, path: str, query: dict[str, Any] | None = None) -> Any:
        """A read may be repeated; raises UnavailableError when it keeps failing."""
        for attempt in range(1, READ_ATTEMPTS + 1):
            await self._limiter.acquire()
            try:
                return await self._reads.request("GET", path, query)
            except (NotSentError, OutcomeUnknownError) as error:
                if attempt == READ_ATTEMPTS:
                    raise as_read_error(error) from error
                pause = error.retry_after if isinstance(error, NotSentError) else 0.0
                await asyncio.sleep(max(pause, READ_PAUSE * attempt))
        raise AssertionError("the last attempt returns or raises")

    @staticmethod
    def _parsed(parse: Callable[[Any], T], fields: Any) -> T:
        try:
            return parse(fields)
        except OrderError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnavailableError(
                f"The venue's answer cannot be read: {type(error).__name__}: {error}", "It is asked again."
            ) from error
