"""The part of an account that is not orders and activities, as bytes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from engine.exchange.accounts import Holding, TradingAccount, Watchlist
from engine.exchange.orders import ZERO


class AccountState(msgspec.Struct, kw_only=True):
    account_id: str
    number: str
    created_at: int
    start_cash: Decimal
    cash: Decimal
    last_equity: Decimal
    last_maintenance: Decimal = ZERO
    accrued: dict[str, Decimal] = {}
    holdings: list[Holding]
    configuration: dict[str, Any]
    watchlists: list[Watchlist] = []


def encode_account(account: TradingAccount) -> bytes:
    state = AccountState(
        account_id=account.account_id,
        number=account.number,
        created_at=account.created_at,
        start_cash=account.start_cash,
        cash=account.cash,
        last_equity=account.last_equity,
        last_maintenance=account.last_maintenance,
        accrued=account.accrued,
        holdings=list(account.holdings.values()),
        configuration=account.configuration,
        watchlists=list(account.watchlists.values()),
    )
    return msgspec.msgpack.encode(state)


def decode_account(data: bytes) -> TradingAccount:
    """Raises msgspec.DecodeError."""
    state = msgspec.msgpack.decode(data, type=AccountState)
    account = TradingAccount(state.account_id, state.number, state.created_at, state.start_cash)
    account.cash = state.cash
    account.last_equity = state.last_equity
    account.last_maintenance = state.last_maintenance
    account.accrued = state.accrued
    account.holdings = {holding.symbol: holding for holding in state.holdings}
    account.configuration = state.configuration
    account.watchlists = {found.list_id: found for found in state.watchlists}
    return account
