"""A margin account: cash, positions by average cost, what open orders hold, and what happened. Decimal only."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal

import msgspec

from engine.domain.orders import Side
from engine.exchange.activities import Activity, Entry, Execution
from engine.exchange.margin import HALF, LEAST_EQUITY, Standing
from engine.exchange.orders import QUANTITY_STEP, ZERO

START_CASH = Decimal(100_000)

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
    """Dollars for each unit; 0 where the order closes a position."""
    rate: Decimal = HALF
    """The share of those dollars that must be own money."""
    closes: bool = False


class TradingAccount:
    """The ledger of one key pair. Fills and entries change it, and nothing else does."""

    def __init__(self, account_id: str, number: str, created_at: int, cash: Decimal = START_CASH) -> None:
        self.account_id = account_id
        self.number = number
        self.created_at = created_at
        self.start_cash = cash
        self.cash = cash
        self.last_equity = cash
        self.last_maintenance = ZERO
        self.holdings: dict[str, Holding] = {}
        self.activities: deque[Activity] = deque()
        self.accrued: dict[str, Decimal] = {}
        """Fees of the day by name, not yet charged to the cash."""
        self.configuration: dict[str, object] = dict(DEFAULT_CONFIGURATION)
        self.watchlists: dict[str, Watchlist] = {}
        self._holds: dict[str, Hold] = {}
        self._held_value = self._held_initial = ZERO
        self._held_quantity: dict[str, Decimal] = {}

    def apply(self, execution: Execution) -> Decimal:
        """Book a fill; returns the signed position after it. The order's hold shrinks with it."""
        signed = execution.quantity * execution.side.sign
        holding = self.holdings.get(execution.symbol)
        if holding is None:
            holding = self.holdings[execution.symbol] = Holding(symbol=execution.symbol)
        holding.apply(signed, execution.price)
        self.cash -= signed * execution.price + execution.fee
        self.activities.append(execution)
        if (hold := self.take_hold(execution.order_id)) is not None:
            hold.quantity -= execution.quantity
            self.hold(execution.order_id, hold)
        if holding.quantity == 0:
            del self.holdings[execution.symbol]
        return holding.quantity

    def book(self, entry: Entry) -> None:
        """Book an entry: its amount moves the cash, its quantity the position, at an unchanged average price."""
        self.cash += entry.amount
        self.activities.append(entry)
        if entry.quantity:
            holding = self.holdings.setdefault(entry.symbol, Holding(symbol=entry.symbol))
            holding.apply(entry.quantity, holding.average_price if holding.quantity else entry.price)
            if holding.quantity == 0:
                del self.holdings[entry.symbol]

    def split(self, entry: Entry, ratio: Decimal) -> None:
        """Book a split of each share into `ratio`; the entry says by what the position changes. One so small that
        nothing is left of it is gone.
        """
        holding = self.holdings[entry.symbol]
        holding.quantity += entry.quantity
        holding.average_price /= ratio
        holding.carried = (holding.carried * ratio).quantize(QUANTITY_STEP)
        if holding.quantity == 0:
            del self.holdings[entry.symbol]
        self.activities.append(entry)

    def accrue(self, fees: dict[str, Decimal]) -> None:
        for name, amount in fees.items():
            self.accrued[name] = self.accrued.get(name, ZERO) + amount

    @property
    def settled_cash(self) -> Decimal:
        """Cash without what the day's fees will take."""
        return self.cash - sum(self.accrued.values(), ZERO)

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
        value = sign * hold.quantity * hold.unit_value
        self._held_value += value
        self._held_initial += value * hold.rate
        if hold.closes:
            before = self._held_quantity.get(hold.symbol, ZERO)
            self._held_quantity[hold.symbol] = before + sign * hold.quantity

    def held_quantity(self, symbol: str) -> Decimal:
        """How much of the position in `symbol` open closing orders hold, unsigned."""
        return self._held_quantity.get(symbol, ZERO)

    def available(self, symbol: str) -> Decimal:
        """How much of the position in `symbol` a new order may close, unsigned."""
        return max(abs(self.quantity(symbol)) - self.held_quantity(symbol), ZERO)

    @property
    def held_value(self) -> Decimal:
        """Dollars that open orders may come to cost."""
        return self._held_value

    def standing(self, price_of: PriceOf) -> Standing:
        found = Standing(cash=self.settled_cash, held_value=self._held_value, held_initial=self._held_initial)
        for holding in self.holdings.values():
            found.add(holding.symbol, holding.quantity, price_of(holding.symbol))
        # 4 was for day traders within one day; Alpaca has given it up with the pattern day trader rule.
        margin = self.configuration.get("max_margin_multiplier") != "1" and found.equity >= LEAST_EQUITY
        found.multiplier = 2 if margin else 1
        return found

    def equity(self, price_of: PriceOf) -> Decimal:
        return self.settled_cash + sum((h.quantity * price_of(h.symbol) for h in self.holdings.values()), ZERO)

    def buying_power(self, price_of: PriceOf) -> Decimal:
        """What new stock positions may cost."""
        return self.standing(price_of).buying_power

    def own_money(self, price_of: PriceOf) -> Decimal:
        """What crypto may cost, which cannot be bought on margin."""
        return self.standing(price_of).own_money

    def end_day(self, price_of: PriceOf) -> None:
        standing = self.standing(price_of)
        self.last_equity, self.last_maintenance = standing.equity, standing.maintenance
        for holding in self.holdings.values():
            holding.carried = holding.quantity
