"""Turn bots' signals into orders: the newest for each sleeve and symbol, one order at a time, none that is too old."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from engine.clock import Clock
from engine.domain.market import NANOSECONDS
from engine.domain.orders import OrderRequest, OrderStatus
from engine.execution.trading import Prices, TradingCore
from engine.portfolio.targets import SleevePlan, order_for
from engine.streams.messages import Signal

log = logging.getLogger(__name__)

RETRY = 0.5
REFUSED = frozenset({OrderStatus.BLOCKED.value, OrderStatus.REJECTED.value})
PASSING = frozenset(
    {"order_rate", "broker_rate", "reconciled", "fresh_quote", "account_usable", "asset_known", "self_cross"}
)
"""Rules whose refusal passes by itself; a signal waits for it while it lives, and is not counted as blocked."""


class SignalDesk:
    """A signal that comes while the sleeve's order in that symbol is on its way waits; only the newest does."""

    def __init__(
        self,
        core: TradingCore,
        plans: Mapping[str, SleevePlan],
        prices: Prices,
        clock: Clock,
        on_drop: Callable[[Signal, str], None],
    ) -> None:
        self.expired = 0
        self.paused = False
        """Signals are let go by; a bot says again what it still wants."""
        self._core = core
        self._plans = plans
        self._prices = prices
        self._clock = clock
        self._on_drop = on_drop
        self._newest: dict[tuple[str, str], Signal] = {}
        self._waiting: dict[tuple[str, str], Signal] = {}
        self._working: dict[tuple[str, str], asyncio.Task[None]] = {}

    def take(self, signal: Signal) -> None:
        """A signal that comes twice counts once."""
        key = (signal.sleeve, signal.symbol)
        before = self._newest.get(key)
        seen = before is not None and before.signal_id == signal.signal_id
        if self.paused or signal.sleeve not in self._plans or seen:
            return
        self._newest[key] = signal
        self._core.flights.cause(
            signal.signal_id, f"{signal.strategy}: weight {signal.weight:+.2f}, {signal.reason}".rstrip(", ")
        )
        self._waiting[key] = signal
        self.wake(*key)

    async def rebalance(self) -> None:
        """Send what the positions have drifted from the targets of signals that are still alive, where it is worth an
        order: a refusal that has passed, or a price that moved, leaves a sleeve beside what its bot last wished.
        """
        for key, signal in self._newest.items():
            if not self.paused and self._age(signal) <= self._core.limits.signal_life_s:
                self._waiting.setdefault(key, signal)
                self.wake(*key)

    def wake(self, sleeve: str, symbol: str) -> None:
        """An order of this sleeve came to its end: what waits behind it may go on."""
        key = (sleeve, symbol)
        if key in self._waiting and key not in self._working and not self._has_open_order(key):
            task = asyncio.create_task(self._work(key), name=f"signal-{sleeve}-{symbol}")
            self._working[key] = task
            task.add_done_callback(lambda _: self._done(key))

    async def close(self) -> None:
        self._waiting.clear()
        tasks = list(self._working.values())
        if tasks:
            await asyncio.wait(tasks, timeout=1.0)
        for task in tasks:
            task.cancel()

    async def _work(self, key: tuple[str, str]) -> None:
        signal = self._waiting.pop(key)
        while (request := self._request(signal)) is not None:
            placed = await self._core.place_unless(PASSING, request)
            if placed is not None:
                log.info(
                    "%s %s %s %s: %s", request.sleeve, request.side, request.quantity, request.symbol, placed.status
                )
                if request.reduces and signal.weight and placed.status not in REFUSED:
                    # It may have stopped at zero on its way through; what is left follows when this is filled. After a
                    # refusal the same order would be refused again and again.
                    self._waiting.setdefault(key, signal)
                return
            await asyncio.sleep(RETRY)
            signal = self._waiting.pop(key, signal)

    def _request(self, signal: Signal) -> OrderRequest | None:
        """None, told to `on_drop` where that is worth telling, when there is nothing to do (any more)."""
        if self.paused:
            return None
        age = self._age(signal)
        if age > self._core.limits.signal_life_s:
            self.expired += 1
            self._on_drop(signal, f"it is {age:.0f} s old")
            return None
        if not -1.0 <= signal.weight <= 1.0:
            self._on_drop(signal, f"its weight is {signal.weight}")
            return None
        view = self._prices(signal.symbol)
        if view is None or not view.last > 0:
            self._on_drop(signal, "there is no price")
            return None
        held = self._core.ledger.positions.get(signal.symbol, signal.sleeve).quantity
        plan = self._plans[signal.sleeve]
        price = Decimal(repr(view.last))
        request = order_for(plan, signal.symbol, signal.weight, price, held, signal.signal_id)
        life = round(self._core.limits.signal_life_s * NANOSECONDS)
        return None if request is None else msgspec.structs.replace(request, expires_at=signal.made_at + life)

    def _age(self, signal: Signal) -> float:
        """Seconds."""
        return (self._clock.now() - signal.made_at) / NANOSECONDS

    def _done(self, key: tuple[str, str]) -> None:
        task = self._working.pop(key)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a signal of %s in %s failed", *key, exc_info=error)
        self.wake(*key)

    def _has_open_order(self, key: tuple[str, str]) -> bool:
        return any((order.sleeve, order.symbol) == key for order in self._core.ledger.book.open)
