"""Alpaca's words for what the venue knows: orders, positions, accounts, bars, trades and quotes as JSON values.

Money is text, times are RFC 3339 with nanoseconds, crypto positions lose their slash.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Any

from engine.domain.market import NANOSECONDS, Bar, Quote, Trade
from engine.domain.orders import OrderStatus, OrderType
from engine.exchange.accounts import Holding, PriceOf, TradingAccount, Watchlist
from engine.exchange.activities import Activity, Entry, Execution
from engine.exchange.assets import Asset
from engine.exchange.columns import Columns
from engine.exchange.orders import ZERO
from engine.exchange.prices.base import BarColumns
from engine.exchange.records import OrderRecord
from engine.exchange.sessions import new_york

Json = dict[str, Any]
_CENT = Decimal("0.01")
_AVERAGE = Decimal("0.000001")
_RATIO = Decimal("0.0000000001")


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def rfc3339(at: int) -> str:
    """Nanoseconds UTC as text; the fraction only where there is one."""
    seconds, fraction = divmod(at, NANOSECONDS)
    if fraction:
        return f"{_second(seconds)}.{fraction:09d}Z"
    return f"{_second(seconds)}Z"


def number(value: Decimal) -> str:
    """Without an exponent and without trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(value: Decimal) -> str:
    return number(value.quantize(_CENT, ROUND_HALF_EVEN))


def _maybe_number(value: Decimal | None) -> str | None:
    return None if value is None else number(value)


def _maybe_time(at: int | None) -> str | None:
    return None if at is None else rfc3339(at)


def asset_class(asset: Asset) -> str:
    return "crypto" if asset.is_crypto else "us_equity"


def average_price(record: OrderRecord) -> str | None:
    if record.filled_quantity == 0:
        return None
    return number((record.filled_value / record.filled_quantity).quantize(_AVERAGE, ROUND_HALF_EVEN))


def order(record: OrderRecord, legs: Sequence[OrderRecord] = ()) -> Json:
    """The documented order object, nulls included, and the orders that are to be shown inside it."""
    created = rfc3339(record.created_at)
    return {
        "id": record.order_id,
        "client_order_id": record.client_order_id,
        "created_at": created,
        "updated_at": created if record.updated_at == record.created_at else rfc3339(record.updated_at),
        "submitted_at": created,
        "filled_at": _maybe_time(record.filled_at),
        "expired_at": _maybe_time(record.expired_at),
        "canceled_at": _maybe_time(record.canceled_at),
        "failed_at": _maybe_time(record.failed_at),
        "replaced_at": _maybe_time(record.replaced_at),
        "replaced_by": record.replaced_by,
        "replaces": record.replaces,
        "asset_id": record.asset_id,
        "symbol": record.symbol,
        "asset_class": "crypto" if "/" in record.symbol else "us_equity",
        "notional": _maybe_number(record.notional),
        "qty": number(record.quantity) if record.notional is None else None,
        "filled_qty": number(record.filled_quantity),
        "filled_avg_price": average_price(record),
        "order_class": record.order_class,
        "order_type": record.type,
        "type": record.type,
        "side": record.side,
        "position_intent": None,
        "time_in_force": record.time_in_force,
        "limit_price": _maybe_number(record.limit_price),
        "stop_price": None if record.type is OrderType.TRAILING_STOP else _maybe_number(record.stop_price),
        "status": record.status,
        "extended_hours": record.extended_hours,
        "legs": [order(leg) for leg in legs] if legs else None,
        "trail_percent": _maybe_number(record.trail_percent),
        "trail_price": _maybe_number(record.trail_price),
        "hwm": _maybe_number(record.high_water_mark),
        "subtag": None,
        "source": None,
    }


def position(holding: Holding, asset: Asset, price: Decimal, previous: Decimal, available: Decimal) -> Json:
    """`price` values the position, `previous` is the close of the day before, for the day's change."""
    value = holding.quantity * price
    cost = holding.cost
    profit = value - cost
    carried = holding.carried if previous else Decimal(0)
    bought = (holding.quantity - carried) * holding.average_price + carried * previous
    day = value - bought
    return {
        "asset_id": asset.asset_id,
        "symbol": asset.symbol.replace("/", ""),
        "exchange": asset.exchange,
        "asset_class": asset_class(asset),
        "asset_marginable": not asset.is_crypto,
        "qty": number(holding.quantity),
        "qty_available": number(available if holding.quantity > 0 else -available),
        "avg_entry_price": number(holding.average_price.quantize(_AVERAGE, ROUND_HALF_EVEN)),
        "side": "long" if holding.quantity > 0 else "short",
        "market_value": money(value),
        "cost_basis": money(cost),
        "unrealized_pl": money(profit),
        "unrealized_plpc": _ratio(profit, abs(cost)),
        "unrealized_intraday_pl": money(day),
        "unrealized_intraday_plpc": _ratio(day, abs(bought)),
        "current_price": number(price),
        "lastday_price": number(previous),
        "change_today": _ratio(price - previous if previous else Decimal(0), previous),
    }


def _ratio(part: Decimal, whole: Decimal) -> str:
    return number((part / whole).quantize(_RATIO)) if whole else "0"


def account(ledger: TradingAccount, price_of: PriceOf) -> Json:
    found = ledger.standing(price_of)
    power = money(found.buying_power)
    shorting = found.multiplier > 1 and not ledger.configuration.get("no_shorting")
    return {
        "id": ledger.account_id,
        "admin_configurations": {},
        "user_configurations": None,
        "account_number": ledger.number,
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "options_approved_level": 0,
        "options_trading_level": 0,
        "currency": "USD",
        "buying_power": power,
        "regt_buying_power": power,
        "effective_buying_power": power,
        "options_buying_power": money(found.own_money),
        "non_marginable_buying_power": money(found.own_money),
        "bod_dtbp": "0",
        "cash": money(ledger.cash),
        "accrued_fees": "0",
        "portfolio_value": money(found.equity),
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "created_at": rfc3339(ledger.created_at),
        "trade_suspended_by_user": bool(ledger.configuration.get("suspend_trade")),
        "multiplier": str(found.multiplier),
        "shorting_enabled": shorting,
        "equity": money(found.equity),
        "last_equity": money(ledger.last_equity),
        "long_market_value": money(found.stock + found.crypto),
        "short_market_value": money(found.short),
        "position_market_value": money(found.stock + found.crypto + found.short),
        "initial_margin": money(found.initial),
        "maintenance_margin": money(found.maintenance),
        "last_maintenance_margin": money(ledger.last_maintenance),
        "sma": money(max(found.excess, ZERO)),
        "balance_asof": _second(ledger.created_at // NANOSECONDS)[:10],
        "crypto_tier": 1,
        "intraday_adjustments": "0",
        "pending_reg_taf_fees": "0",
    }


def activity(found: Activity) -> Json:
    return _fill(found) if isinstance(found, Execution) else _entry(found)


def _entry(entry: Entry) -> Json:
    shown: Json = {
        "id": entry.activity_id,
        "activity_type": entry.kind,
        "date": str(new_york(entry.timestamp).date()),
        "created_at": rfc3339(entry.timestamp),
        "net_amount": number(entry.amount),
        "description": entry.description,
        "status": "executed",
    }
    for name, value in (("qty", entry.quantity), ("price", entry.price), ("per_share_amount", entry.per_share)):
        if value:
            shown[name] = number(value)
    named = {"symbol": entry.symbol, "order_id": entry.order_id}
    return shown | {name: value for name, value in named.items() if value}


def _fill(execution: Execution) -> Json:
    final = execution.leaves == 0
    return {
        "id": execution.activity_id,
        "activity_type": "FILL",
        "transaction_time": rfc3339(execution.timestamp),
        "type": "fill" if final else "partial_fill",
        "price": number(execution.price),
        "qty": number(execution.quantity),
        "side": execution.side.value,
        "symbol": execution.symbol,
        "leaves_qty": number(execution.leaves),
        "order_id": execution.order_id,
        "cum_qty": number(execution.cumulative),
        "order_status": (OrderStatus.FILLED if final else OrderStatus.PARTIALLY_FILLED).value,
        "execution_id": execution.execution_id,
    }


def asset(found: Asset) -> Json:
    crypto = found.is_crypto
    shown: Json = {
        "id": found.asset_id,
        "class": asset_class(found),
        "exchange": found.exchange,
        "symbol": found.symbol,
        "name": found.name,
        "status": "active",
        "tradable": True,
        "marginable": not crypto,
        "maintenance_margin_requirement": 100 if crypto else 30,
        "margin_requirement_long": "100" if crypto else "30",
        "margin_requirement_short": "100" if crypto else "30",
        "shortable": not crypto,
        "easy_to_borrow": not crypto,
        "fractionable": True,
        "attributes": [],
    }
    if crypto:
        shown |= {"min_order_size": "0.0001", "min_trade_increment": "0.000000001", "price_increment": "0.01"}
    return shown


def watchlist(found: Watchlist, ledger: TradingAccount) -> Json:
    return {
        "id": found.list_id,
        "account_id": ledger.account_id,
        "name": found.name,
        "created_at": rfc3339(found.created_at),
        "updated_at": rfc3339(found.updated_at),
    }


def trade(found: Trade) -> Json:
    """A print as the data routes show it."""
    shown: Json = {"t": rfc3339(found.timestamp), "p": found.price, "s": found.size}
    if "/" in found.symbol:
        return shown | {"i": found.trade_id, "tks": "B"}
    return shown | {"x": found.exchange, "c": list(found.conditions), "i": found.trade_id, "z": "C"}


def quote(found: Quote) -> Json:
    shown: Json = {
        "t": rfc3339(found.timestamp),
        "bp": found.bid_price,
        "bs": found.bid_size,
        "ap": found.ask_price,
        "as": found.ask_size,
    }
    if "/" in found.symbol:
        return shown
    return shown | {"bx": "V", "ax": "V", "c": ["R"], "z": "C"}


def bar(found: Bar) -> Json:
    return {
        "t": rfc3339(found.timestamp),
        "o": found.open,
        "h": found.high,
        "l": found.low,
        "c": found.close,
        "v": found.volume,
        "n": found.trade_count,
        "vw": found.vwap,
    }


def bars(columns: BarColumns) -> list[Json]:
    rows = zip(*(getattr(columns, name).tolist() for name in columns.__struct_fields__), strict=True)
    return [
        {"t": rfc3339(t), "o": o, "h": h, "l": low, "c": c, "v": v, "n": n, "vw": vw}
        for t, o, h, low, c, v, n, vw in rows
    ]


def tape_trade(symbol: str, rows: Columns, index: int) -> Json:
    at, price, size, exchange, conditions, trade_id = rows.row(index)
    return trade(Trade(symbol, price, size, at, exchange, conditions, trade_id))


def tape_quote(symbol: str, rows: Columns, index: int) -> Json:
    at, bid, bid_size, ask, ask_size = rows.row(index)
    return quote(Quote(symbol, bid, bid_size, ask, ask_size, at))
