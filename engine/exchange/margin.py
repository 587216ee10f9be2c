"""How much of a position's value must be the account's own money: Regulation T at the start, Alpaca's table after it.

https://docs.alpaca.markets/docs/margin-and-short-selling has the figures. Crypto cannot be bought on margin.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from engine.domain.market import is_crypto
from engine.exchange.orders import ZERO

HALF, FULL = Decimal("0.5"), Decimal(1)
LEAST_EQUITY = Decimal(2_000)
"""Below it an account has neither margin nor shorts."""
_LONG, _SHORT = Decimal("0.30"), Decimal("0.30")
_CHEAP_LONG, _CHEAP_SHORT = Decimal("2.50"), Decimal(5)
_LEAST_CHEAP_SHORT, _LEAST_SHORT = Decimal("2.50"), Decimal(5)


def maintenance_per_unit(symbol: str, price: Decimal, *, short: bool) -> Decimal:
    """Dollars that one unit at `price` binds for as long as it is held."""
    if short:
        return max(price, _LEAST_CHEAP_SHORT) if price < _CHEAP_SHORT else max(price * _SHORT, _LEAST_SHORT)
    return price if is_crypto(symbol) or price < _CHEAP_LONG else price * _LONG


def initial_rate(symbol: str, price: Decimal, *, short: bool) -> Decimal:
    """The share of a new position's value that must be own money; above 1 for the short sale of a very cheap stock."""
    if price <= 0 or is_crypto(symbol):
        return FULL
    if not short:
        return FULL if price < _CHEAP_LONG else HALF
    return max(HALF, maintenance_per_unit(symbol, price, short=short) / price)


class Standing(msgspec.Struct, kw_only=True):
    """What an account is worth at one moment, in dollars. `short` is 0 or negative."""

    cash: Decimal
    multiplier: int = 2
    stock: Decimal = ZERO
    crypto: Decimal = ZERO
    short: Decimal = ZERO
    initial: Decimal = ZERO
    maintenance: Decimal = ZERO
    held_value: Decimal = ZERO
    held_initial: Decimal = ZERO
    """Own money that open orders will need."""

    def add(self, symbol: str, quantity: Decimal, price: Decimal) -> None:
        value = quantity * price
        if value < 0:
            self.short += value
        elif is_crypto(symbol):
            self.crypto += value
        else:
            self.stock += value
        self.initial += abs(value) * initial_rate(symbol, price, short=value < 0)
        self.maintenance += abs(quantity) * maintenance_per_unit(symbol, price, short=value < 0)

    @property
    def equity(self) -> Decimal:
        return self.cash + self.stock + self.crypto + self.short

    @property
    def is_below_maintenance(self) -> bool:
        return self.equity < self.maintenance

    @property
    def excess(self) -> Decimal:
        """Own money that no position binds; below zero where positions bind more than there is."""
        return self.equity - self.initial

    @property
    def own_money(self) -> Decimal:
        """What may be bought without borrowing: cash without the proceeds of short sales."""
        return max(self.cash + self.short - self.held_value, ZERO)

    @property
    def buying_power(self) -> Decimal:
        """What new marginable positions may cost."""
        if self.is_below_maintenance:
            return ZERO
        if self.multiplier == 1:
            return self.own_money
        return max(self.multiplier * (self.excess - self.held_initial), ZERO)
