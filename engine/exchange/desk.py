"""One account's desk: its ledger and its orders, found by id, by client id and by being open."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from decimal import Decimal

from engine.domain.orders import Side
from engine.exchange.accounts import START_CASH, TradingAccount
from engine.exchange.records import OrderRecord

ORDER_LIMIT = 100_000
"""Ended orders kept in memory; the oldest leave first. Their client ids stay used."""


class Desk:
    def __init__(self, account: TradingAccount) -> None:
        self.account = account
        self.open: dict[str, OrderRecord] = {}
        self._sides: dict[tuple[str, Side], dict[str, OrderRecord]] = {}
        self.archived = 0
        self._orders: OrderedDict[str, OrderRecord] = OrderedDict()
        self._client_ids: dict[str, str] = {}

    @property
    def account_id(self) -> str:
        return self.account.account_id

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[OrderRecord]:
        """The orders in memory, oldest first."""
        return iter(self._orders.values())

    def add(self, record: OrderRecord) -> None:
        self._orders[record.order_id] = record
        self._client_ids[record.client_order_id] = record.order_id
        if record.is_open:
            self.open[record.order_id] = record
            self._sides.setdefault((record.symbol, record.side), {})[record.order_id] = record
        if len(self._orders) - len(self.open) > ORDER_LIMIT:
            self._archive()

    def ended(self, record: OrderRecord) -> None:
        self.open.pop(record.order_id, None)
        self._sides.get((record.symbol, record.side), {}).pop(record.order_id, None)
        self.account.release(record.order_id)

    def find(self, order_id: str) -> OrderRecord | None:
        return self._orders.get(order_id)

    def open_side(self, symbol: str, side: Side) -> Iterable[OrderRecord]:
        return self._sides.get((symbol, side), {}).values()

    def legs(self, record: OrderRecord) -> list[OrderRecord]:
        return [leg for leg_id in record.legs if (leg := self._orders.get(leg_id)) is not None]

    def find_client(self, client_order_id: str) -> OrderRecord | None:
        return self._orders.get(self._client_ids.get(client_order_id, ""))

    def knows_client_id(self, client_order_id: str) -> bool:
        return client_order_id in self._client_ids

    def remember_client_id(self, client_order_id: str, order_id: str) -> None:
        """Mark an id of an order that is no longer kept as used."""
        self._client_ids.setdefault(client_order_id, order_id)

    def newest_first(self) -> Iterator[OrderRecord]:
        return reversed(self._orders.values())

    def oldest_first(self) -> Iterator[OrderRecord]:
        return iter(self._orders.values())

    def _archive(self) -> None:
        oldest = next(order_id for order_id in self._orders if order_id not in self.open)
        del self._orders[oldest]
        self.archived += 1


def account_number(account_id: str) -> str:
    return "PA" + account_id.replace("-", "").upper()[:10]


def open_desk(account_id: str, now: int, cash: Decimal = START_CASH) -> Desk:
    return Desk(TradingAccount(account_id, account_number(account_id), now, cash))
