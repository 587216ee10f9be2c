"""How much of an order a market fills, at what price and for what fee: small models that the matching engine asks."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from random import Random
from typing import ClassVar, Protocol

import msgspec

from engine.domain.orders import Side
from engine.exchange.orders import QUANTITY_STEP, ZERO

_ONE = Decimal(1)
_BASIS_POINT = Decimal("0.0001")
_CENT, _SUBCENT = Decimal("0.01"), Decimal("0.0001")


class FillModel(Protocol):
    @property
    def latency(self) -> int:
        """Nanoseconds between an order's submission and the moment it stands in the book."""
        ...

    @property
    def queues(self) -> bool:
        """Whether limit orders wait behind the size that stands at their price; see `queueing`."""
        ...

    @property
    def has_impact(self) -> bool:
        """Whether prices depend on the order's size; see `impact`."""
        ...

    def available(self, displayed: float) -> Decimal | None:
        """What a market that shows `displayed` units gives one side of the book; None for any quantity."""
        ...

    def bar_available(self, volume: float) -> Decimal | None:
        """The same for a bar of `volume` units."""
        ...

    def quantity(self, remaining: Decimal, random: Random) -> Decimal:
        """How much of what could be filled is filled at once, above 0 and at most `remaining`."""
        ...

    def price(self, side: Side, price: Decimal, limit: Decimal | None, impact: float) -> Decimal:
        """The price paid when the market stands at `price`; never through `limit`. `impact` is the relative move that
        the square-root law expects of this fill, 0 where it is not measured.
        """
        ...

    def fee(self, quantity: Decimal, price: Decimal) -> Decimal: ...


class _AtOnce(msgspec.Struct, frozen=True, kw_only=True):
    """Orders are in the book at once, and fill wherever the market meets their limit, whatever their size does to it."""

    latency: ClassVar[int] = 0
    queues: ClassVar[bool] = False
    has_impact: ClassVar[bool] = False


class AlpacaFill(_AtOnce, frozen=True, kw_only=True):
    """Fills as Alpaca's paper venue documents them.

    Orders fill when they are marketable against the best bid and offer, their size is not held against the displayed
    one, and a share of the fills (10 %) is partial, for a random quantity. No fees, no slippage.
    """

    partial_probability: float = 0.1

    def available(self, displayed: float) -> Decimal | None:
        return None

    def bar_available(self, volume: float) -> Decimal | None:
        return None

    def quantity(self, remaining: Decimal, random: Random) -> Decimal:
        whole = remaining == remaining.to_integral_value()
        if not whole or remaining < 2 or random.random() >= self.partial_probability:
            return remaining
        return Decimal(random.randint(1, int(remaining) - 1))

    def price(self, side: Side, price: Decimal, limit: Decimal | None, impact: float) -> Decimal:
        return price

    def fee(self, quantity: Decimal, price: Decimal) -> Decimal:
        return ZERO


class BacktestFill(_AtOnce, frozen=True, kw_only=True):
    """Fills for a backtest: slippage in basis points against the order, commissions, a share of the printed volume.

    `commission_percent` is in percent of the notional (0.1 is ten basis points), `participation` a share of the volume
    (0 = no limit). Prices are rounded to `price_step`, to the half-even.
    """

    slippage_bps: Decimal = ZERO
    commission_per_share: Decimal = ZERO
    commission_percent: Decimal = ZERO
    participation: Decimal = ZERO
    price_step: Decimal = Decimal("0.0001")

    def available(self, displayed: float) -> Decimal | None:
        return Decimal(str(displayed)) if self.participation else None

    def bar_available(self, volume: float) -> Decimal | None:
        return Decimal(str(volume)) * self.participation if self.participation else None

    def quantity(self, remaining: Decimal, random: Random) -> Decimal:
        return remaining

    def price(self, side: Side, price: Decimal, limit: Decimal | None, impact: float) -> Decimal:
        if self.slippage_bps:
            slipped = price * (_ONE + side.sign * self.slippage_bps * _BASIS_POINT)
            price = max(slipped.quantize(self.price_step, ROUND_HALF_EVEN), self.price_step)
        return _bounded(side, price, limit)

    def fee(self, quantity: Decimal, price: Decimal) -> Decimal:
        return quantity * self.commission_per_share + quantity * price * self.commission_percent / 100


class RealisticFill(msgspec.Struct, frozen=True, kw_only=True):
    """Fills as a real market would give them: after a delay, behind the queue, for part of what is shown, and dearer
    the larger they are.

    `latency` in nanoseconds. `participation` is the share of a displayed size or of a print that one may have.
    `coefficient` is Y of the square-root law: 0.5 to 1 in the literature. Prices are rounded to the venue's step.
    """

    queues: ClassVar[bool] = True
    has_impact: ClassVar[bool] = True
    latency: int = 20_000_000
    participation: Decimal = Decimal("0.25")
    coefficient: float = 1.0

    def available(self, displayed: float) -> Decimal | None:
        return Decimal(str(displayed)) * self.participation

    def bar_available(self, volume: float) -> Decimal | None:
        return self.available(volume)

    def quantity(self, remaining: Decimal, random: Random) -> Decimal:
        return remaining

    def price(self, side: Side, price: Decimal, limit: Decimal | None, impact: float) -> Decimal:
        moved = price * (_ONE + side.sign * Decimal(str(self.coefficient * impact)))
        step = _CENT if price >= 1 else _SUBCENT
        return _bounded(side, max(moved.quantize(step, ROUND_HALF_EVEN), step), limit)

    def fee(self, quantity: Decimal, price: Decimal) -> Decimal:
        return ZERO


def _bounded(side: Side, price: Decimal, limit: Decimal | None) -> Decimal:
    if limit is None:
        return price
    return min(price, limit) if side is Side.BUY else max(price, limit)


def cap(wanted: Decimal, available: Decimal | None) -> Decimal:
    """The part of `wanted` that `available` allows: whole units of a whole order, else to the smallest step."""
    if available is None or wanted <= available:
        return wanted
    step = _ONE if wanted == wanted.to_integral_value() else QUANTITY_STEP
    return max(available, ZERO).quantize(step, ROUND_DOWN)
