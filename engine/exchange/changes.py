"""What the venue reports after each step: order updates, ledgers that changed, fills, and what the market brought."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from engine.domain.market import Bar
from engine.exchange.accounts import TradingAccount
from engine.exchange.activities import Activity
from engine.exchange.corporate import CorporateAction
from engine.exchange.orders import Update
from engine.exchange.prices.events import TapeEvent
from engine.exchange.records import OrderRecord


class Notice(msgspec.Struct, frozen=True):
    """An update with the order as it stood right after it, ready to be published to its account."""

    account_id: str
    update: Update
    record: OrderRecord
    position: Decimal


class Sample(msgspec.Struct, frozen=True):
    """A point of an account's portfolio history; `closes_day` for the last one of a trading day."""

    account_id: str
    at: int
    equity: Decimal
    closes_day: bool = False


class Changes(msgspec.Struct):
    """What happened since the last time somebody asked. `orders` has every order at every change."""

    notices: list[Notice] = []
    orders: list[OrderRecord] = []
    accounts: dict[str, TradingAccount] = {}
    activities: list[tuple[str, Activity]] = []
    closes: list[Sample] = []
    actions: dict[str, CorporateAction] = {}

    def __bool__(self) -> bool:
        return bool(self.notices or self.orders or self.accounts or self.activities or self.closes or self.actions)


class Market(msgspec.Struct):
    """What one step of the market brought, for the data streams."""

    events: list[TapeEvent] = []
    minutes: list[Bar] = []
