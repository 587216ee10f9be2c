"""Alpaca's words for corporate actions: announcements of the trading API, groups of the data API.

This exchange knows no CUSIPs and leaves them empty.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from engine.exchange.corporate import CorporateAction, Kind
from engine.exchange.wire import Json, number

PLURALS = {
    "reverse_split": "reverse_splits",
    "forward_split": "forward_splits",
    "unit_split": "unit_splits",
    "cash_dividend": "cash_dividends",
    "stock_dividend": "stock_dividends",
    "spin_off": "spin_offs",
    "cash_merger": "cash_mergers",
    "stock_merger": "stock_mergers",
    "stock_and_cash_merger": "stock_and_cash_mergers",
    "redemption": "redemptions",
    "name_change": "name_changes",
    "worthless_removal": "worthless_removals",
    "rights_distribution": "rights_distributions",
}
"""Alpaca's types, and the keys that they are listed under."""
_SUB_TYPES = {Kind.FORWARD_SPLIT: "stock_split", Kind.REVERSE_SPLIT: "reverse_split", Kind.CASH_DIVIDEND: "cash"}


def announcement(action: CorporateAction) -> Json:
    return {
        "id": action.action_id,
        "corporate_action_id": f"{action.symbol}_{action.action_id[:8]}",
        "ca_type": "split" if action.kind.is_split else "dividend",
        "ca_sub_type": _SUB_TYPES[action.kind],
        "initiating_symbol": action.symbol,
        "initiating_original_cusip": "",
        "target_symbol": action.symbol,
        "target_original_cusip": "",
        "declaration_date": str(action.declared),
        "ex_date": str(action.ex_date),
        "record_date": str(action.ex_date),
        "payable_date": str(action.payable_date),
        "cash": number(action.cash),
        "old_rate": number(action.old_rate),
        "new_rate": number(action.new_rate),
    }


def market_data(actions: Iterable[CorporateAction]) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for action in actions:
        found.setdefault(PLURALS[action.kind], []).append(_entry(action))
    return found


def _entry(action: CorporateAction) -> Json:
    dates = {
        "process_date": str(action.payable_date),
        "ex_date": str(action.ex_date),
        "record_date": str(action.ex_date),
        "payable_date": str(action.payable_date),
    }
    found: Json = {"id": action.action_id, "symbol": action.symbol, **dates}
    if action.kind is Kind.CASH_DIVIDEND:
        return found | {"cusip": "", "rate": float(action.cash), "special": action.special, "foreign": False}
    found |= {"old_rate": float(action.old_rate), "new_rate": float(action.new_rate)}
    return found | ({"cusip": ""} if action.kind is Kind.FORWARD_SPLIT else {"old_cusip": "", "new_cusip": ""})


def shown(action: CorporateAction) -> Json:
    """As the exchange's own routes show it. `entitled` is left out: it names other accounts."""
    found: Json = msgspec.to_builtins(action, builtin_types=(type(action.cash),))
    fields = {name: number(value) for name, value in found.items() if isinstance(value, type(action.cash))}
    found = found | fields | {"is_effective": action.effective_at > 0}
    return {name: value for name, value in found.items() if name not in ("entitled", "factor")}
