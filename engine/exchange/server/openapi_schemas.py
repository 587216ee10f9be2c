"""What the exchange's requests and answers look like, as JSON schemas for its OpenAPI document."""

from __future__ import annotations

from typing import Any

from engine.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from engine.exchange.server.faults import MAX_COUNT, MAX_SECONDS, METHODS, STREAMS, FaultKind

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
UUID: Schema = {"type": "string", "format": "uuid"}
DAY: Schema = {"type": "string", "format": "date"}
TIME: Schema = {"type": "string", "format": "date-time"}
MONEY: Schema = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
"""Amounts are text, so that no digit is lost."""
AMOUNT: Schema = {
    "description": "above 0, as a number or as text",
    "anyOf": [
        {"type": "string", "pattern": r"^[0-9]{1,9}(\.[0-9]{1,9})?$"},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000_000},
    ],
}

PRICE: Schema = {
    "description": "in cents from one dollar on, in hundredths of a cent below, as a number or as text",
    "anyOf": [
        {"type": "string", "pattern": r"^[1-9][0-9]{0,6}\.[0-9]{2}$"},
        {"type": "string", "pattern": r"^0\.[0-9]{3}[1-9]$"},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 100_000_000},
    ],
}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def listed(schema: Schema, **limits: int) -> Schema:
    return {"type": "array", "items": schema, **limits}


def by_symbol(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}


def words(*allowed: str) -> Schema:
    return {"type": "string", "enum": list(allowed)}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def record(required: dict[str, Schema], **optional: Schema) -> Schema:
    return {"type": "object", "properties": {**required, **optional}, "required": list(required)}


def page(key: str, row: Schema, single: bool) -> Schema:
    """Rows of one symbol, or of many by symbol, and the token of the next page."""
    rows = {"symbol": TEXT, key: listed(row)} if single else {key: by_symbol(listed(row))}
    return record({**rows, "next_page_token": maybe(TEXT)})


_ACTIONS = words("forward_split", "reverse_split", "cash_dividend")
_CLIENT_ID: Schema = {"type": "string", "maxLength": 128, "pattern": "^[ -~]*$"}
_TRADES = {"t": TIME, "p": NUMBER, "s": NUMBER}
_QUOTES = {"t": TIME, "bp": NUMBER, "bs": NUMBER, "ap": NUMBER, "as": NUMBER}
_BARS = {"t": TIME, "o": NUMBER, "h": NUMBER, "l": NUMBER, "c": NUMBER, "v": NUMBER, "n": WHOLE, "vw": NUMBER}
_LEVELS = listed(record({"p": NUMBER, "s": NUMBER}))
_EXIT = record({"stop_price": PRICE}, limit_price=PRICE)
_ORDERS: dict[str, tuple[OrderType, Schema, Schema]] = {
    "MarketOrder": (OrderType.MARKET, {"qty": AMOUNT}, {}),
    "NotionalOrder": (OrderType.MARKET, {"notional": AMOUNT}, {}),
    "LimitOrder": (OrderType.LIMIT, {"qty": AMOUNT, "limit_price": PRICE}, {"extended_hours": FLAG}),
    "StopOrder": (OrderType.STOP, {"qty": AMOUNT, "stop_price": PRICE}, {}),
    "StopLimitOrder": (OrderType.STOP_LIMIT, {"qty": AMOUNT, "stop_price": PRICE, "limit_price": PRICE}, {}),
    "TrailingPriceOrder": (OrderType.TRAILING_STOP, {"qty": AMOUNT, "trail_price": PRICE}, {}),
    "TrailingPercentOrder": (OrderType.TRAILING_STOP, {"qty": AMOUNT, "trail_percent": AMOUNT}, {}),
    "BracketOrder": (
        OrderType.MARKET,
        {
            "qty": AMOUNT,
            "order_class": words("bracket"),
            "take_profit": record({"limit_price": PRICE}),
            "stop_loss": _EXIT,
        },
        {},
    ),
    "OneTriggersOther": (OrderType.MARKET, {"qty": AMOUNT, "order_class": words("oto"), "stop_loss": _EXIT}, {}),
    "OneCancelsOther": (
        OrderType.LIMIT,
        {
            "qty": AMOUNT,
            "order_class": words("oco"),
            "take_profit": record({"limit_price": PRICE}),
            "stop_loss": _EXIT,
        },
        {},
    ),
}
"""The orders there are: the type, the fields that each must have beside those of all, and those that it may have."""
_NAMES_OF_ORDER = ("replaced_by", "replaces", "legs", "hwm", "notional", "qty", "filled_avg_price", "limit_price",
                   "stop_price", "trail_price", "trail_percent", "filled_at", "canceled_at", "expired_at")  # fmt: skip


def _order_request(symbol: Schema, type_: OrderType, needed: Schema, optional: Schema) -> Schema:
    common = {"symbol": symbol, "side": words(*Side), "type": words(type_), "time_in_force": words(*TimeInForce)}
    return record({**common, **needed}, client_order_id=_CLIENT_ID, **optional)


def schemas(symbols: list[str]) -> dict[str, Schema]:
    """All of them by name; `symbols` are those the exchange trades."""
    symbol = {"type": "string", "examples": symbols[:3], "enum": symbols}
    return {
        "Error": record({"code": WHOLE, "message": TEXT}),
        "OrderRequest": {"anyOf": [ref(name) for name in _ORDERS]},
        **{name: _order_request(symbol, *fields) for name, fields in _ORDERS.items()},
        "OrderChange": record(
            {},
            qty=AMOUNT,
            limit_price=PRICE,
            stop_price=PRICE,
            trail=AMOUNT,
            time_in_force=words("day", "gtc", "ioc", "fok"),
            client_order_id=_CLIENT_ID,
        ),
        "Order": record(
            {
                "id": UUID,
                "client_order_id": TEXT,
                "created_at": TIME,
                "updated_at": TIME,
                "submitted_at": TIME,
                "symbol": symbol,
                "asset_id": UUID,
                "asset_class": words("us_equity", "crypto"),
                "filled_qty": MONEY,
                "order_class": TEXT,
                "type": words(*OrderType),
                "side": words(*Side),
                "time_in_force": words(*TimeInForce),
                "status": words(*OrderStatus),
                "extended_hours": FLAG,
                **{name: {} for name in _NAMES_OF_ORDER},
            }
        ),
        "Canceled": record({"id": UUID, "status": WHOLE}),
        "Closed": record({"symbol": TEXT, "status": WHOLE, "body": {"anyOf": [ref("Order"), ref("Error")]}}),
        "Position": record(
            {
                "asset_id": UUID,
                "symbol": TEXT,
                "exchange": TEXT,
                "asset_class": words("us_equity", "crypto"),
                "side": words("long", "short"),
                **dict.fromkeys(("qty", "avg_entry_price", "cost_basis", "market_value", "current_price"), MONEY),
                **dict.fromkeys(("unrealized_pl", "unrealized_plpc", "qty_available", "change_today"), MONEY),
            }
        ),
        "Account": record(
            {
                "id": UUID,
                "account_number": TEXT,
                "status": TEXT,
                "currency": TEXT,
                **dict.fromkeys(("cash", "equity", "last_equity", "buying_power", "portfolio_value"), MONEY),
                **dict.fromkeys(("initial_margin", "maintenance_margin", "long_market_value"), MONEY),
                **dict.fromkeys(("trading_blocked", "account_blocked", "trade_suspended_by_user"), FLAG),
            }
        ),
        "Configuration": record(
            {},
            trade_confirm_email=words("all", "none"),
            max_margin_multiplier=words("1", "2", "4"),
            suspend_trade=FLAG,
            no_shorting=FLAG,
            fractional_trading=FLAG,
            ptp_no_exception_entry=FLAG,
        ),
        "Activity": record({"id": TEXT, "activity_type": TEXT}),
        "PortfolioHistory": record(
            {
                "timestamp": listed(WHOLE),
                "equity": listed(maybe(NUMBER)),
                "profit_loss": listed(maybe(NUMBER)),
                "profit_loss_pct": listed(maybe(NUMBER)),
                "base_value": NUMBER,
                "timeframe": TEXT,
            }
        ),
        "Clock": record({"timestamp": TIME, "is_open": FLAG, "next_open": TIME, "next_close": TIME}),
        "CalendarDay": record({"date": DAY, "open": TEXT, "close": TEXT}),
        "Asset": record(
            {
                "id": UUID,
                "class": words("us_equity", "crypto"),
                "exchange": TEXT,
                "symbol": symbol,
                "status": TEXT,
                **dict.fromkeys(("tradable", "marginable", "shortable", "easy_to_borrow", "fractionable"), FLAG),
            }
        ),
        "WatchlistRequest": record({"name": {"type": "string", "minLength": 1, "maxLength": 64}}, symbols=listed(symbol)),
        "WatchlistChange": record({}, name={"type": "string", "minLength": 1, "maxLength": 64}, symbols=listed(symbol)),
        "WatchlistSymbol": record({"symbol": symbol}),
        "Watchlist": record({"id": UUID, "account_id": UUID, "name": TEXT, "created_at": TIME, "updated_at": TIME}),
        "Trade": record(_TRADES, x=TEXT, c=listed(TEXT), i=WHOLE, z=TEXT, tks=TEXT),
        "Quote": record(_QUOTES, bx=TEXT, ax=TEXT, c=listed(TEXT), z=TEXT),
        "Bar": record(_BARS),
        "OrderBook": record({"t": TIME, "b": _LEVELS, "a": _LEVELS}),
        "Snapshot": record(
            {},
            latestTrade=ref("Trade"),
            latestQuote=ref("Quote"),
            minuteBar=ref("Bar"),
            dailyBar=ref("Bar"),
            prevDailyBar=ref("Bar"),
        ),
        "Fault": record(
            {"kind": words(*FaultKind)},
            count={"type": "integer", "minimum": 1, "maximum": MAX_COUNT},
            status={"type": "integer", "minimum": 400, "maximum": 599},
            seconds={"type": "number", "minimum": -MAX_SECONDS, "maximum": MAX_SECONDS},
            after=FLAG,
            html=FLAG,
            path=TEXT,
            method=words(*METHODS),
            stream=words(*STREAMS),
        ),
        "Armed": record({"n": WHOLE, "kind": words(*FaultKind), "left": maybe(WHOLE), "fired": WHOLE}),
        "Faults": record({"armed": listed(ref("Armed")), "fired": by_symbol(WHOLE), "hanging": WHOLE}),
        "Market": record(
            {"now": TIME, "target": TIME, "speed": NUMBER, "paused": FLAG, "recording": maybe({"type": "object"})}
        ),
        "MarketControl": record(
            {},
            seek={"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"},
            speed={"type": "number", "exclusiveMinimum": 0, "maximum": 100_000},
            pause=FLAG,
        )
        | {"additionalProperties": False},
        "Halt": record({"symbol": symbol}, seconds={"type": "number", "exclusiveMinimum": 0, "maximum": 86_400})
        | {"additionalProperties": False},
        "Announcement": record(
            {
                "id": UUID,
                "ca_type": words("dividend", "split"),
                "ca_sub_type": words("cash", "stock_split", "reverse_split"),
                "initiating_symbol": symbol,
                **dict.fromkeys(("declaration_date", "ex_date", "record_date", "payable_date"), DAY),
                **dict.fromkeys(("cash", "old_rate", "new_rate"), MONEY),
            }
        ),
        "CorporateAction": record({"action_id": UUID, "kind": _ACTIONS, "symbol": symbol, "ex_date": DAY}),
        "CorporateActionRequest": record(
            {"type": _ACTIONS, "symbol": symbol},
            ex_date=DAY,
            payable_date=DAY,
            new_rate=AMOUNT,
            old_rate=AMOUNT,
            cash=AMOUNT,
            special=FLAG,
            cash_in_lieu=FLAG,
        ),
        "Health": record({"status": TEXT, "requests": WHOLE, "orders": WHOLE, "fills": WHOLE, "failures": WHOLE}),
    }  # fmt: skip
