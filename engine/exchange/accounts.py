"""A margin account: cash, positions by average cost, what open orders hold, and what happened. Decimal only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal

import msgspec

from engine.domain.market import is_crypto
from engine.domain.orders import Side
from engine.exchange.orders import ZERO

START_CASH = Decimal(100_000)
MULTIPLIER = 2
"""Regulation T: half of a stock position is paid with the account's own money."""
MAINTENANCE = Decimal("0.25")
EXECUTION_LIMIT = 100_000
"""Fills of one account that are kept in memory; the oldest leave first."""
HISTORY_LIMIT = 43_200
"""Equity samples that are kept: thirty days of minutes."""

# Without dtbp_check and pdt_check, which Alpaca left out on 2026-07-06.
DEFAULT_CONFIGURATION: dict[str, object] = {
    "trade_confirm_email": "none",
    "suspend_trade": False,
    "no_shorting": False,
    "fractional_trading": True,
    "max_margin_multiplier": "2",
    "max_options_trading_level": None,
    "ptp_no_exception_entry": False,
}

PriceOf = Callable[[str], Decimal]


class Holding(msgspec.Struct, kw_only=True):
    """A position; quantity is signed, negative for short."""

    symbol: str
    quantity: Decimal = ZERO
    average_price: Decimal = ZERO
    realised: Decimal = ZERO
    carried: Decimal = ZERO
    """The part of the quantity that was there at the last close; the day's profit measures it from that price."""

    @property
    def cost(self) -> Decimal:
        return self.quantity * self.average_price

    def apply(self, signed: Decimal, price: Decimal) -> Decimal:
        """Add a signed quantity at a price; returns the profit that it realised."""
        closing = ZERO
        if self.quantity * signed < 0:
            closing = min(abs(signed), abs(self.quantity))
        profit = closing * (price - self.average_price) * (1 if self.quantity > 0 else -1)
        after = self.quantity + signed
        if closing == 0:
            total = abs(self.quantity) * self.average_price + abs(signed) * price
            self.average_price = total / abs(after)
        elif after == 0:
            self.average_price = ZERO
        elif after * self.quantity < 0:
            self.average_price = price
        self.quantity = after
        self.carried = min(max(self.carried, min(after, ZERO)), max(after, ZERO))
        self.realised += profit
        return profit


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """A fill as the account's history tells it. `activity_id` sorts by time."""

    activity_id: str
    execution_id: str
    order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    cumulative: Decimal
    leaves: Decimal
    timestamp: int


class Watchlist(msgspec.Struct, kw_only=True):
    list_id: str
    name: str
    symbols: list[str]
    created_at: int
    updated_at: int


class Hold(msgspec.Struct, kw_only=True):
    """What one open order keeps from others: a quantity of a position, or buying power for each unit still to fill."""

    symbol: str
    side: Side
    quantity: Decimal
    unit_value: Decimal
    """Buying power for each unit; 0 where the order closes a position."""
    closes: bool = False


class TradingAccount:
    """The ledger of one key pair. Fills change it, and nothing else does."""

    def __init__(self, account_id: str, number: str, created_at: int, cash: Decimal = START_CASH) -> None:
        self.account_id = account_id
        self.number = number
        self.created_at = created_at
        self.start_cash = cash
        self.cash = cash
        self.last_equity = cash
        self.holdings: dict[str, Holding] = {}
        self.executions: deque[Execution] = deque(maxlen=EXECUTION_LIMIT)
        self.samples: deque[tuple[int, Decimal]] = deque(maxlen=HISTORY_LIMIT)
        self.configuration: dict[str, object] = dict(DEFAULT_CONFIGURATION)
        self.watchlists: dict[str, Watchlist] = {}
        self._holds: dict[str, Hold] = {}
        self._held_value = ZERO
        self._held_quantity: dict[str, Decimal] = {}

    def apply(self, execution: Execution) -> Decimal:
        """Book a fill; returns the signed position after it. The order's hold shrinks with it."""
        signed = execution.quantity * execution.side.sign
        holding = self.holdings.get(execution.symbol)
        if holding is None:
            holding = self.holdings[execution.symbol] = Holding(symbol=execution.symbol)
        holding.apply(signed, execution.price)
        self.cash -= signed * execution.price + execution.fee
        self.executions.append(execution)
        if (hold := self.take_hold(execution.order_id)) is not None:
            hold.quantity -= execution.quantity
            self.hold(execution.order_id, hold)
        if holding.quantity == 0:
            del self.holdings[execution.symbol]
        return holding.quantity

    def quantity(self, symbol: str) -> Decimal:
        holding = self.holdings.get(symbol)
        return ZERO if holding is None else holding.quantity

    def hold(self, order_id: str, hold: Hold) -> None:
        self.take_hold(order_id)
        self._holds[order_id] = hold
        self._count(hold, 1)

    def release(self, order_id: str) -> None:
        self.take_hold(order_id)

    def take_hold(self, order_id: str) -> Hold | None:
        """Release what an order holds and return it, so that it can be put back."""
        hold = self._holds.pop(order_id, None)
        if hold is not None:
            self._count(hold, -1)
        return hold

    def _count(self, hold: Hold, sign: int) -> None:
        """Keep the sums that every new order asks for."""
        self._held_value += sign * hold.quantity * hold.unit_value
        if hold.closes:
            before = self._held_quantity.get(hold.symbol, ZERO)
            self._held_quantity[hold.symbol] = before + sign * hold.quantity

    def held_quantity(self, symbol: str) -> Decimal:
        """How much of the position in `symbol` open closing orders hold, unsigned."""
        return self._held_quantity.get(symbol, ZERO)

    def available(self, symbol: str) -> Decimal:
        """How much of the position in `symbol` a new order may close, unsigned."""
        return abs(self.quantity(symbol)) - self.held_quantity(symbol)

    @property
    def held_value(self) -> Decimal:
        """Buying power that open orders hold."""
        return self._held_value

    def market_values(self, price_of: PriceOf) -> tuple[Decimal, Decimal, Decimal]:
        """(long stock, long crypto, short) market values; the short one is 0 or negative."""
        stock = crypto = short = ZERO
        for holding in self.holdings.values():
            value = holding.quantity * price_of(holding.symbol)
            if value < 0:
                short += value
            elif is_crypto(holding.symbol):
                crypto += value
            else:
                stock += value
        return stock, crypto, short

    def equity(self, price_of: PriceOf) -> Decimal:
        return self.cash + sum(self.market_values(price_of), ZERO)

    def buying_power(self, price_of: PriceOf) -> Decimal:
        """What new stock positions may cost: twice the equity that no position or order binds."""
        stock, crypto, short = self.market_values(price_of)
        equity = self.cash + stock + crypto + short
        return max(MULTIPLIER * (equity - crypto) - stock + short - self.held_value, ZERO)

    def own_money(self, price_of: PriceOf) -> Decimal:
        """What crypto may cost, which cannot be bought on margin: cash without the proceeds of short sales."""
        _, _, short = self.market_values(price_of)
        return max(self.cash + short - self.held_value, ZERO)

    def end_day(self, price_of: PriceOf) -> None:
        self.last_equity = self.equity(price_of)
        for holding in self.holdings.values():
            holding.carried = holding.quantity

    def sample(self, now: int, price_of: PriceOf) -> Decimal:
        """Note the equity for the portfolio history, and return it."""
        equity = self.equity(price_of)
        self.samples.append((now, equity))
        return equity
