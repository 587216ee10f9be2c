"""What is written down and what leaves memory, after each step of the exchange."""

from __future__ import annotations

from collections.abc import Mapping

from engine.exchange.activities import Activity
from engine.exchange.changes import Changes
from engine.exchange.desk import Desk
from engine.exchange.records import OrderRecord
from engine.exchange.store import Store

Leaving = tuple[Desk, list[OrderRecord], list[Activity]]


class Keeper:
    """A durable store is given every change at once; a temporary one the history, and what memory can no longer hold."""

    def __init__(self, store: Store, desks: Mapping[str, Desk]) -> None:
        self._store = store
        self._desks = desks

    def is_concerned(self, changes: Changes) -> bool:
        """Whether a temporary store has anything to do with these changes."""
        return bool(changes.closes) or any(desk.has_surplus for desk in self._touched(changes))

    async def keep(self, changes: Changes) -> None:
        """Raises sqlite3.Error and OSError when the changes cannot be written."""
        # Chosen before the writing, during which more may happen that is not yet written.
        touched = [desk for desk in self._touched(changes) if desk.has_surplus]
        leaving = [(desk, desk.surplus_orders(), desk.surplus_activities()) for desk in touched]
        if self._store.is_durable:
            await self._store.write(changes)
        else:
            await self._write_history(changes, leaving)
        for desk, orders, activities in leaving:
            desk.forget(orders, activities)

    def _touched(self, changes: Changes) -> list[Desk]:
        names = {record.account_id for record in changes.orders}.union(changes.accounts)
        return [self._desks[name] for name in names]

    async def _write_history(self, changes: Changes, leaving: list[Leaving]) -> None:
        orders = [record for _, found, _ in leaving for record in found]
        activities = [(desk.account_id, activity) for desk, _, found in leaving for activity in found]
        if orders or activities or changes.closes:
            await self._store.write(Changes(orders=orders, activities=activities, closes=changes.closes))
