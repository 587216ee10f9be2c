"""Alpaca's words for what an account has: its standing, positions, activities, assets and watchlists as JSON values."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from engine.domain.orders import OrderStatus
from engine.exchange.accounts import Holding, PriceOf, TradingAccount, Watchlist
from engine.exchange.activities import Activity, Entry, Execution
from engine.exchange.assets import Asset
from engine.exchange.orders import ZERO
from engine.exchange.sessions import new_york
from engine.exchange.wire import Json, asset_class, money, number, rfc3339

_AVERAGE = Decimal("0.000001")
_RATIO = Decimal("0.0000000001")


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
    power, fees = money(found.buying_power), sum(ledger.accrued.values(), ZERO)
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
        "cash": money(found.cash),
        "accrued_fees": number(fees),
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
        "balance_asof": rfc3339(ledger.created_at)[:10],
        "crypto_tier": 1,
        "intraday_adjustments": "0",
        "pending_reg_taf_fees": number(fees),
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
    named = {"symbol": entry.symbol.replace("/", ""), "order_id": entry.order_id}
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
        "shortable": found.shortable,
        "easy_to_borrow": found.easy_to_borrow,
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
