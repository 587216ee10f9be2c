"""One account's desk: its ledger and its orders, found by id, by client id and by being open.

Memory holds what is open and the newest of what has ended; the archive, where there is one, has the rest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import islice

from engine.domain.orders import OrderStatus, Side
from engine.exchange.accounts import START_CASH, TradingAccount
from engine.exchange.activities import ACTIVITY_LIMIT, BATCH, Activity
from engine.exchange.archive import ActivityQuery, Archive, OrderQuery
from engine.exchange.records import OrderRecord

ORDER_LIMIT = 10_000
"""Ended orders of one account that are kept in memory; the oldest leave first, and their client ids stay used."""


OPEN_LIMIT = 100_000
"""Open orders of one account; more are refused."""


class Desk:
    def __init__(self, account: TradingAccount, archive: Archive | None = None) -> None:
        self.account = account
        self.open: dict[str, OrderRecord] = {}
        self.archived = 0
        self.archived_until = 0
        """No order that was submitted after this has left memory."""
        self.activities_archived = 0
        self._archive = archive
        self._sides: dict[tuple[str, Side], dict[str, OrderRecord]] = {}
        self._orders: dict[str, OrderRecord] = {}
        self._ended: deque[str] = deque()
        self._client_ids: dict[str, str] = {}

    @property
    def account_id(self) -> str:
        return self.account.account_id

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[OrderRecord]:
        """The orders in memory, oldest first."""
        return iter(self._orders.values())

    @property
    def newest_submission(self) -> int:
        """When the newest order in memory was submitted; 0 where there is none."""
        return next((record.created_at for record in reversed(self._orders.values())), 0)

    def add(self, record: OrderRecord) -> None:
        self._orders[record.order_id] = record
        self._client_ids[record.client_order_id] = record.order_id
        if record.is_open:
            self.open[record.order_id] = record
            self._sides.setdefault((record.symbol, record.side), {})[record.order_id] = record

    def ended(self, record: OrderRecord) -> None:
        self._sides.get((record.symbol, record.side), {}).pop(record.order_id, None)
        self.account.release(record.order_id)
        if self.open.pop(record.order_id, None) is None:
            return
        # Those that are open ask for the others of their group, so they all stay until the last has ended.
        if self._is_over(record):
            group = [record] if record.status is OrderStatus.REPLACED else self._group(record)
            self._ended.extend(member.order_id for member in group)

    def restored(self) -> None:
        """After every order of an earlier run has been added."""
        self._ended.extend(order_id for order_id, record in self._orders.items() if self._is_over(record))

    def find(self, order_id: str) -> OrderRecord | None:
        found = self._orders.get(order_id)
        if found is None and self.archived and self._archive is not None:
            return self._archive.order(self.account_id, order_id)
        return found

    def open_side(self, symbol: str, side: Side) -> Iterable[OrderRecord]:
        return self._sides.get((symbol, side), {}).values()

    def legs(self, record: OrderRecord) -> list[OrderRecord]:
        return [leg for leg_id in record.legs if (leg := self.find(leg_id)) is not None]

    def find_client(self, client_order_id: str) -> OrderRecord | None:
        order_id = self._client_ids.get(client_order_id)
        if order_id is None and self.archived and self._archive is not None:
            return self._archive.client_order(self.account_id, client_order_id)
        return self._orders.get(order_id or "")

    def select(self, query: OrderQuery, limit: int) -> list[OrderRecord]:
        """At most `limit` orders, by time of submission."""
        newest, known = query.newest_first, self.open if query.status == "open" else self._orders
        rows = reversed(known.values()) if newest else iter(known.values())
        found = list(islice((record for record in rows if query.matches(record)), limit))
        if query.status == "open" or not self.archived or self._archive is None:
            return found
        if newest and len(found) == limit and found[-1].created_at > self.archived_until:
            return found
        others = self._archive.orders(self.account_id, query, limit)
        found += [record for record in others if record.order_id not in self._orders]
        found.sort(key=lambda record: (record.created_at, record.number), reverse=newest)
        return found[:limit]

    def activities(self, query: ActivityQuery, limit: int) -> list[Activity]:
        """At most `limit` activities, in the order they were booked."""
        known = self.account.activities
        rows = reversed(known) if query.newest_first else iter(known)
        found = list(islice((row for row in rows if query.matches(row)), limit))
        if not self.activities_archived or self._archive is None or (query.newest_first and len(found) == limit):
            return found
        oldest = known[0].number if known else 1 << 62
        others = self._archive.activities(self.account_id, query, limit)
        before = [row for row in others if row.number < oldest]
        return (found + before if query.newest_first else before + found)[:limit]

    def activity_number(self, activity_id: str) -> int | None:
        """The number of an activity that happened to this account, or None."""
        for row in reversed(self.account.activities):
            if row.activity_id == activity_id:
                return row.number
        return None if self._archive is None else self._archive.activity_number(self.account_id, activity_id)

    @property
    def has_surplus(self) -> bool:
        """Whether there are enough beyond a limit to make a batch."""
        return len(self._ended) >= ORDER_LIMIT + BATCH or len(self.account.activities) >= ACTIVITY_LIMIT + BATCH

    def surplus_orders(self) -> list[OrderRecord]:
        """The oldest ended orders beyond the limit: to be archived, then forgotten."""
        return [self._orders[order_id] for order_id in islice(self._ended, max(len(self._ended) - ORDER_LIMIT, 0))]

    def surplus_activities(self) -> list[Activity]:
        return list(islice(self.account.activities, max(len(self.account.activities) - ACTIVITY_LIMIT, 0)))

    def forget(self, orders: list[OrderRecord], activities: list[Activity]) -> None:
        """Drop what the archive has; the lists are those of surplus_orders and surplus_activities."""
        for record in orders:
            self._ended.popleft()
            del self._orders[record.order_id]
            del self._client_ids[record.client_order_id]
            self.archived_until = max(self.archived_until, record.created_at)
        for _ in activities:
            self.account.activities.popleft()
        self.archived += len(orders)
        self.activities_archived += len(activities)

    def _group(self, record: OrderRecord) -> list[OrderRecord]:
        """The order with those that it brought along, or that came along with it."""
        parent = self._orders.get(record.parent_id or "", record)
        members = (self._orders.get(leg_id) for leg_id in parent.legs)
        found = [parent, *(member for member in members if member is not None)]
        return found if any(member is record for member in found) else [*found, record]

    def _is_over(self, record: OrderRecord) -> bool:
        if record.status is OrderStatus.REPLACED:
            return True
        return not any(member.order_id in self.open for member in self._group(record))


def account_number(account_id: str) -> str:
    return "PA" + account_id.replace("-", "").upper()[:10]


def open_desk(account_id: str, now: int, archive: Archive | None = None, cash: Decimal = START_CASH) -> Desk:
    return Desk(TradingAccount(account_id, account_number(account_id), now, cash), archive)
