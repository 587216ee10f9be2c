"""Read what Alpaca sends, tolerantly: unknown keys and words are no error, a missing amount is None, never a guess.

Raises ValueError when something that cannot be done without is missing or unreadable.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.broker.base import Asset, MarketClock, TradeUpdate, VenueBooking, VenueFill, VenueOrder
from engine.domain.orders import OrderClass, OrderStatus, OrderType, Side, TimeInForce
from engine.domain.portfolio import Account, VenuePosition
from engine.domain.timestamps import parse_rfc3339

Fields = Mapping[str, Any]

_OTHER_STATUSES = {"pending_review": OrderStatus.ACCEPTED, "accepted_for_bidding": OrderStatus.ACCEPTED}


def order(fields: Fields) -> VenueOrder:
    quantity = amount(fields.get("qty"))
    filled = amount(fields.get("filled_qty")) or Decimal(0)
    return VenueOrder(
        client_order_id=str(fields["client_order_id"]),
        venue_order_id=str(fields["id"]),
        symbol=symbol(str(fields["symbol"]), fields.get("asset_class")),
        side=Side(fields["side"]),
        # An order by notional has no quantity until it is filled.
        quantity=filled if quantity is None else quantity,
        type=OrderType(str(fields.get("type") or fields.get("order_type"))),
        time_in_force=TimeInForce(fields["time_in_force"]),
        status=status(str(fields["status"])),
        filled_quantity=filled,
        average_fill_price=amount(fields.get("filled_avg_price")),
        limit_price=amount(fields.get("limit_price")),
        created_at=moment(fields.get("created_at")),
        updated_at=moment(fields.get("updated_at")),
        replaced_by=str(fields.get("replaced_by") or ""),
        replaces=str(fields.get("replaces") or ""),
        order_class=order_class(fields.get("order_class")),
        stop_price=amount(fields.get("stop_price")),
        trail_price=amount(fields.get("trail_price")),
        trail_percent=amount(fields.get("trail_percent")),
        legs=tuple(order(leg) for leg in fields.get("legs") or ()),
        reject_reason=str(fields.get("reject_reason") or ""),
    )


def status(word: str) -> OrderStatus:
    """A word that nobody knows yet is taken for an order that may still fill."""
    try:
        return OrderStatus(word)
    except ValueError:
        return _OTHER_STATUSES.get(word, OrderStatus.ACCEPTED)


def order_class(word: object) -> OrderClass:
    """A class that nobody knows yet is taken for an order of its own."""
    try:
        return OrderClass(str(word or ""))
    except ValueError:
        return OrderClass.SIMPLE


def fill_activity(fields: Fields) -> VenueFill:
    """An entry of /account/activities/FILL. Its id is "time::execution id"."""
    return VenueFill(
        execution_id=str(fields["id"]).rpartition("::")[2],
        venue_order_id=str(fields["order_id"]),
        symbol=symbol(str(fields["symbol"]), None),
        side=Side.BUY if fields["side"] == "buy" else Side.SELL,
        quantity=_needed(fields, "qty"),
        price=_needed(fields, "price"),
        timestamp=moment(fields["transaction_time"]),
    )


def booking(fields: Fields) -> VenueBooking:
    """An entry of /account/activities that is no fill."""
    kind = str(fields["activity_type"])
    return VenueBooking(
        activity_id=str(fields["id"]),
        kind=kind,
        timestamp=moment(fields.get("created_at") or fields.get("date")),
        symbol=symbol(str(fields.get("symbol") or ""), "crypto" if kind == "CFEE" else None),
        quantity=amount(fields.get("qty")) or Decimal(0),
        amount=amount(fields.get("net_amount")) or Decimal(0),
        venue_order_id=str(fields.get("order_id") or ""),
    )


def trade_update(fields: Fields) -> TradeUpdate:
    """The `data` of a trade_updates message."""
    said = order(fields["order"])
    event = str(fields["event"])
    at = moment(fields.get("timestamp")) or said.updated_at
    fill = None
    if event in {"fill", "partial_fill"}:
        fill = VenueFill(
            execution_id=str(fields["execution_id"]),
            venue_order_id=said.venue_order_id,
            symbol=said.symbol,
            side=said.side,
            quantity=_needed(fields, "qty"),
            price=_needed(fields, "price"),
            timestamp=at,
        )
    return TradeUpdate(event=event, order=said, timestamp=at, fill=fill)


def account(fields: Fields) -> Account:
    zero = Decimal(0)
    equity = _needed(fields, "equity")
    last_equity = amount(fields.get("last_equity"))
    return Account(
        account_number=str(fields["account_number"]),
        status=str(fields["status"]),
        equity=equity,
        last_equity=equity if last_equity is None else last_equity,
        cash=_needed(fields, "cash"),
        buying_power=_needed(fields, "buying_power"),
        long_market_value=amount(fields.get("long_market_value")) or zero,
        short_market_value=amount(fields.get("short_market_value")) or zero,
        currency=str(fields.get("currency") or "USD"),
        shorting_enabled=bool(fields.get("shorting_enabled", False)),
        trading_blocked=bool(fields.get("trading_blocked")),
        account_blocked=bool(fields.get("account_blocked")),
        suspended_by_user=bool(fields.get("trade_suspended_by_user")),
        non_marginable_buying_power=amount(fields.get("non_marginable_buying_power")),
        pattern_day_trader=_flag(fields.get("pattern_day_trader")),
        day_trades=None if fields.get("daytrade_count") is None else int(fields["daytrade_count"]),
    )


def position(fields: Fields) -> VenuePosition:
    zero = Decimal(0)
    return VenuePosition(
        symbol=symbol(str(fields["symbol"]), fields.get("asset_class")),
        quantity=_needed(fields, "qty"),
        average_entry_price=_needed(fields, "avg_entry_price"),
        market_value=amount(fields.get("market_value")) or zero,
        current_price=amount(fields.get("current_price")) or zero,
        unrealised=amount(fields.get("unrealized_pl")) or zero,
    )


def market_clock(fields: Fields) -> MarketClock:
    return MarketClock(
        timestamp=moment(fields["timestamp"]),
        is_open=bool(fields["is_open"]),
        next_open=moment(fields.get("next_open")),
        next_close=moment(fields.get("next_close")),
        speed=float(fields.get("paddock_speed") or 1.0),
    )


def asset(fields: Fields) -> Asset:
    return Asset(
        symbol=str(fields["symbol"]),
        name=str(fields.get("name") or ""),
        asset_class=str(fields.get("class") or "us_equity"),
        tradable=bool(fields.get("tradable")),
        fractionable=bool(fields.get("fractionable")),
        shortable=bool(fields.get("shortable")),
        easy_to_borrow=bool(fields.get("easy_to_borrow")),
        min_order_size=amount(fields.get("min_order_size")),
        min_trade_increment=amount(fields.get("min_trade_increment")),
        price_increment=amount(fields.get("price_increment")),
    )


def amount(value: object) -> Decimal | None:
    """A finite number from a string or a JSON number; None for null and for nothing."""
    if value is None or value == "":
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return number


def symbol(name: str, asset_class: object) -> str:
    """Positions write BTCUSD where orders write BTC/USD; we always write the slash."""
    if asset_class == "crypto" and "/" not in name:
        for currency in ("USDT", "USDC", "USD", "BTC"):
            if name.endswith(currency) and len(name) > len(currency):
                return f"{name.removesuffix(currency)}/{currency}"
    return name


def moment(value: object) -> int:
    """Int nanoseconds UTC; 0 for null."""
    return parse_rfc3339(str(value)) if value else 0


def _flag(value: object) -> bool | None:
    return None if value is None else bool(value)


def _needed(fields: Fields, name: str) -> Decimal:
    number = amount(fields.get(name))
    if number is None:
        raise ValueError(f"{name} is missing")
    return number
