"""Make the account flat: what is held by the venue's word and by our own fills, and the orders that close it.

The venue's list of positions may be seconds behind its own fills, and our fills behind the venue. Selling by the wrong
one would sell what is gone, so both must agree before anything is sold, and before anything is called flat.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

import msgspec

from engine.broker.base import Broker
from engine.clock import Clock
from engine.control import Placed
from engine.domain.errors import PaddockError, UnavailableError
from engine.domain.orders import OrderRequest
from engine.domain.portfolio import VenuePosition
from engine.execution.ledger import Ledger
from engine.execution.reconcile import Reconciler
from engine.portfolio.targets import closing_orders

AGREE, GIVE_UP, PAUSE = 8.0, 12.0, 0.5
"""Seconds in which fills and positions may come to agree; until when the venue is asked what then holds; between asking."""
ZERO = Decimal(0)

Place = Callable[[OrderRequest], Awaitable[Placed]]


class Flattening:
    def __init__(self, broker: Broker, ledger: Ledger, reconciler: Reconciler, clock: Clock, place: Place) -> None:
        self._broker = broker
        self._ledger = ledger
        self._reconciler = reconciler
        self._clock = clock
        self._place = place
        self._closing: dict[str, asyncio.Task[str]] = {}

    async def held(self) -> Sequence[VenuePosition]:
        """What the venue shows; with a quantity of 0, what it does not show and by our fills is there all the same.

        Raises UnavailableError or CredentialsError when the venue does not say, or lists nothing while its account is
        worth more than its cash: somebody else may have traded of whom we have not heard, and the list be behind.
        """
        shown = list(await self._broker.positions())
        if self.unseen(shown):
            await self._reconciler.orders()
        found = shown + self.unseen(shown)
        if not found:
            account = await self._broker.account()
            if account.long_market_value or account.short_market_value:
                worth = account.long_market_value - account.short_market_value
                raise UnavailableError(
                    f"The venue lists no position, and its account has positions worth {worth:,.2f} {account.currency}.",
                    "It is asked again.",
                )
        return found

    async def close(self, position: VenuePosition) -> str:
        """What became of the closing orders. Once at a time for a symbol: an attempt that begins while an earlier one still
        closes it waits for that, for two would sell twice.
        """
        symbol = position.symbol
        if symbol not in self._closing:
            self._closing[symbol] = asyncio.ensure_future(self._close(position))
            self._closing[symbol].add_done_callback(lambda _: self._closing.pop(symbol))
        return await asyncio.shield(self._closing[symbol])

    async def _close(self, position: VenuePosition) -> str:
        """Where the two differ, the venue is believed by what it answers when its list has had the time to catch up, and
        our own fills if it does not answer then.
        """
        symbol, began = position.symbol, self._clock.monotonic()
        believed = False
        while self._net(symbol) != position.quantity:
            if believed:
                positions = self._ledger.positions
                positions.agree_with([position], but=positions.symbols - {symbol})
                break
            if self._clock.monotonic() - began >= GIVE_UP:
                break
            with contextlib.suppress(PaddockError):
                await self._reconciler.orders()
                await self._reconciler.bookings()  # before the two are made to agree, or they would count twice
                asked = self._clock.monotonic()
                found = {held.symbol: held for held in await self._broker.positions()}
                position = found.get(symbol, msgspec.structs.replace(position, quantity=ZERO))
                believed = self._has_caught_up(symbol, asked, began)
            if self._net(symbol) != position.quantity and not believed:
                await asyncio.sleep(PAUSE)
        requests = closing_orders(self._ledger.with_awaited(symbol))
        placed = [await self._place(request) for request in requests]
        return ", ".join(f"{one.status} {one.message}".strip() for one in placed) or "nothing to close"

    def _has_caught_up(self, symbol: str, asked: float, began: float) -> bool:
        """Whether a list that was asked for then shows all that we did: nothing of ours has moved since long before.

        Where we have not traded, only somebody else can explain the difference, and nothing is gained by waiting.
        """
        moved = self._clock.monotonic() - self._ledger.quiet_for(symbol)
        return not self._reconciler.traded_lately(symbol) or asked - max(began, moved) >= AGREE

    def unseen(self, shown: Sequence[VenuePosition]) -> list[VenuePosition]:
        """What is there by our fills and is not shown, each with a quantity of 0."""
        symbols = self._ledger.positions.symbols | {order.symbol for order in self._ledger.book.missing_fills()}
        symbols -= {position.symbol for position in shown}
        return [
            VenuePosition(
                symbol=symbol,
                quantity=ZERO,
                average_entry_price=ZERO,
                market_value=ZERO,
                current_price=ZERO,
                unrealised=ZERO,
            )
            for symbol in sorted(symbols)
            if self._net(symbol)
        ]

    def _net(self, symbol: str) -> Decimal:
        """By our fills and by those of which only the order has told."""
        return sum((held.quantity for held in self._ledger.with_awaited(symbol)), ZERO)
