"""What clients are shown while reads lag: orders, positions and the account as they were some seconds ago.

The shadow begins where the books stand when the fault is armed, and follows them late.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from engine.exchange.changes import Changes
from engine.exchange.desk import Desk, open_desk
from engine.exchange.records import OrderRecord
from engine.exchange.server.faults import Armed

MAX_PENDING = 10_000
"""Changes of one account that wait to be seen; beyond it the oldest are seen early."""
MAX_ANSWERS = 1_000

Shown = Mapping[str, Callable[[Desk], Any]]
"""What a route answers for a desk now, by the name of the route: account, positions."""


class Shadow:
    """One account's past, from `orders` on. Times are seconds on a monotonic clock."""

    def __init__(self, desk: Desk, shown: Shown, orders: Iterable[OrderRecord], now: float) -> None:
        self._real = desk
        self._shown = shown
        self._desk = open_desk(desk.account_id, desk.account.created_at)
        self._pending: deque[tuple[float, OrderRecord]] = deque()
        self._answers: dict[str, deque[tuple[float, Any]]] = {name: deque(maxlen=MAX_ANSWERS) for name in shown}
        for record in orders:
            self._desk.add(msgspec.structs.replace(record))
        self.note([], now)

    def note(self, orders: list[OrderRecord], now: float) -> None:
        self._pending.extend((now, record) for record in orders)
        while len(self._pending) > MAX_PENDING:
            self._apply(self._pending.popleft()[1])
        for name, answers in self._answers.items():
            answers.append((now, self._shown[name](self._real)))

    def desk(self, until: float) -> Desk:
        """The orders as they stood at `until`."""
        while self._pending and self._pending[0][0] <= until:
            self._apply(self._pending.popleft()[1])
        return self._desk

    def answer(self, name: str, until: float) -> Any:
        """What the route would have answered at `until`, as far back as is known."""
        answers = self._answers[name]
        while len(answers) > 1 and answers[1][0] <= until:
            answers.popleft()
        return answers[0][1]

    def _apply(self, record: OrderRecord) -> None:
        self._desk.add(record)
        if not record.is_open:
            self._desk.ended(record)


class ReadLag:
    def __init__(self, armed: Armed, desks: Mapping[str, Desk], shown: Shown, now: float) -> None:
        self.armed = armed
        self._desks = desks
        self._shown = shown
        self._shadows = {account_id: Shadow(desk, shown, desk, now) for account_id, desk in desks.items()}

    def note(self, changes: Changes, now: float) -> None:
        """What has just been committed; it will be seen later."""
        by_account: dict[str, list[OrderRecord]] = {account_id: [] for account_id in changes.accounts}
        for record in changes.orders:
            by_account.setdefault(record.account_id, []).append(record)
        for account_id, orders in by_account.items():
            self._shadow(account_id, now).note(orders, now)

    def desk(self, account_id: str, now: float) -> Desk:
        return self._shadow(account_id, now).desk(now - self.armed.fault.seconds)

    def answer(self, name: str, account_id: str, now: float) -> Any:
        """The answer of long enough ago. The one of now is noted, for those who ask later."""
        shadow = self._shadow(account_id, now)
        shadow.note([], now)
        return shadow.answer(name, now - self.armed.fault.seconds)

    def _shadow(self, account_id: str, now: float) -> Shadow:
        """An account that is younger than the fault begins with nothing in its past."""
        shadow = self._shadows.get(account_id)
        if shadow is None:
            shadow = self._shadows[account_id] = Shadow(self._desks[account_id], self._shown, (), now)
        return shadow
