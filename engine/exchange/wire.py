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
from engine.domain.orders import OrderType
from engine.exchange.assets import Asset
from engine.exchange.columns import Columns
from engine.exchange.prices.base import BarColumns
from engine.exchange.records import OrderRecord

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
    text = str(value)
    if "E" in text:
        text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(value: Decimal) -> str:
    return number(value.quantize(_CENT, ROUND_HALF_EVEN))


def _maybe_number(value: Decimal | None) -> str | None:
    return None if value is None else number(value)


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
        "filled_at": record.filled_at and rfc3339(record.filled_at),
        "expired_at": record.expired_at and rfc3339(record.expired_at),
        "canceled_at": record.canceled_at and rfc3339(record.canceled_at),
        "failed_at": record.failed_at and rfc3339(record.failed_at),
        "replaced_at": record.replaced_at and rfc3339(record.replaced_at),
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
