"""What an account may do: the checks between a valid request and the book, and what an accepted order holds."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_DOWN, Decimal

from engine.domain.orders import OrderStatus, OrderType, Side
from engine.exchange.accounts import Hold, PriceOf, TradingAccount
from engine.exchange.desk import OPEN_LIMIT
from engine.exchange.margin import Standing, initial_rate
from engine.exchange.orders import QUANTITY_STEP, ZERO
from engine.exchange.records import OrderRecord
from engine.exchange.refusals import forbidden, unprocessable
from engine.exchange.ticket import Ticket

MARKET_BUFFER = Decimal("1.03")
"""Market orders are valued three percent above the ask, as Alpaca does."""
_MINIMUM, _CRYPTO_MINIMUM = Decimal(1), Decimal(10)


def order_quantity(ticket: Ticket, price: Decimal) -> Decimal:
    """Units to trade; for a notional order as many as its dollars buy at `price`."""
    if ticket.quantity is not None:
        return ticket.quantity
    notional = ticket.notional or ZERO
    if price <= 0:
        raise unprocessable(f"no price is known for {ticket.symbol}; give qty instead of notional")
    return (notional / (ticket.limit_price or price)).quantize(QUANTITY_STEP, ROUND_DOWN)


def check_room(open_orders: int) -> None:
    if open_orders >= OPEN_LIMIT:
        raise forbidden(f"too many open orders: an account has at most {OPEN_LIMIT}")


def check_cost(ticket: Ticket, quantity: Decimal, price: Decimal) -> None:
    """Crypto and fractional orders have a smallest cost."""
    crypto = ticket.asset.is_crypto
    if not crypto and ticket.notional is None and quantity == quantity.to_integral_value():
        return
    least = _CRYPTO_MINIMUM if crypto else _MINIMUM
    cost = ticket.notional if ticket.notional is not None else quantity * (ticket.limit_price or price)
    if quantity <= 0 or cost < least:
        raise forbidden(f"cost basis must be >= minimal amount of order {least}")


def check_wash_trade(ticket: Ticket, working: Iterable[OrderRecord]) -> None:
    """Refuse an order that could trade with one of the account's own; complex orders are the way to do so."""
    if ticket.exits is not None:
        return
    for other in working:
        if (
            other.symbol == ticket.symbol
            and other.side is not ticket.side
            and other.status is not OrderStatus.HELD
            and _would_cross(ticket, other)
        ):
            raise forbidden(
                "potential wash trade detected. use complex orders",
                reject_reason=f"opposite side {other.type.value} order exists",
                existing_order_id=other.order_id,
            )


def _would_cross(ticket: Ticket, other: OrderRecord) -> bool:
    if ticket.limit_price is None or other.limit_price is None:
        return True
    return (ticket.limit_price - other.limit_price) * ticket.side.sign >= 0


def reserve(ticket: Ticket, quantity: Decimal, account: TradingAccount, price_of: PriceOf, ask: Decimal) -> Hold:
    """What the order must hold. Raises Refusal when the account does not have it.

    An order against a position closes it and holds quantity; any other opens or adds and holds buying power.
    """
    position = account.quantity(ticket.symbol)
    if position * ticket.side.sign < 0:
        _check_quantity(ticket, quantity, account)
        return Hold(symbol=ticket.symbol, side=ticket.side, quantity=quantity, unit_value=ZERO, closes=True)
    standing = account.standing(price_of)
    short = ticket.side is Side.SELL
    if short:
        _check_short(ticket, quantity, account, standing)
    unit = _unit_value(ticket, ask)
    if unit <= 0:
        raise unprocessable(f"no price is known for {ticket.symbol}")
    rate = initial_rate(ticket.symbol, unit, short=short)
    _check_power(ticket, quantity * unit, rate, standing)
    return Hold(symbol=ticket.symbol, side=ticket.side, quantity=quantity, unit_value=unit, rate=rate)


def held_by(record: OrderRecord, account: TradingAccount, ask: Decimal) -> Hold:
    """What an open order of an earlier run holds."""
    closes = account.quantity(record.symbol) * record.side.sign < 0
    unit = ZERO if closes else record.limit_price or ask
    return Hold(
        symbol=record.symbol,
        side=record.side,
        quantity=record.remaining,
        unit_value=unit,
        rate=initial_rate(record.symbol, unit, short=record.side is Side.SELL),
        closes=closes,
    )


def _check_quantity(ticket: Ticket, quantity: Decimal, account: TradingAccount) -> None:
    available = account.available(ticket.symbol)
    if quantity > available:
        existing = abs(account.quantity(ticket.symbol))
        raise forbidden(
            f"insufficient qty available for order (requested: {quantity:f}, available: {available:f})",
            available=f"{available:f}",
            existing_qty=f"{existing:f}",
            held_for_orders=f"{existing - available:f}",
            symbol=ticket.symbol,
        )


def _check_short(ticket: Ticket, quantity: Decimal, account: TradingAccount, standing: Standing) -> None:
    if ticket.asset.is_crypto:
        raise forbidden(
            f"insufficient balance for {ticket.symbol.partition('/')[0]} (requested: {quantity:f}, available: 0)",
            available="0",
            symbol=ticket.symbol,
        )
    if account.configuration.get("no_shorting") or standing.multiplier == 1:
        raise forbidden("account is not allowed to short")
    if not ticket.asset.easy_to_borrow:
        raise unprocessable(f'asset "{ticket.symbol}" cannot be sold short')
    if quantity != quantity.to_integral_value():
        raise unprocessable("fractional orders cannot be sold short")


def _check_power(ticket: Ticket, value: Decimal, rate: Decimal, standing: Standing) -> None:
    """What cannot be bought on margin takes own money, and binds all of it."""
    own = ticket.asset.is_crypto
    needed = value if standing.multiplier == 1 else value * rate * standing.multiplier
    power = standing.buying_power
    if needed > power or (own and value > standing.own_money):
        raise forbidden(
            f"insufficient {'balance for USD' if own else 'buying power'}",
            buying_power=f"{min(power, standing.own_money) if own else power:.2f}",
            cost_basis=f"{value:.2f}",
        )


def _unit_value(ticket: Ticket, ask: Decimal) -> Decimal:
    """Buying power for one unit, for a price that the order can hardly beat."""
    if ticket.type in (OrderType.STOP, OrderType.TRAILING_STOP):
        return max(ticket.stop_price or ask, ask) * MARKET_BUFFER
    if ticket.limit_price is None:
        return ask * MARKET_BUFFER
    if ticket.side is Side.SELL:
        return max(ticket.limit_price, ask)
    return ticket.limit_price
