"""The books behind the matching engine: its updates move orders from state to state, and fills move the ledgers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec

from engine.domain.errors import OrderError
from engine.domain.orders import OrderStatus, OrderType
from engine.exchange.accounts import PriceOf, TradingAccount
from engine.exchange.activities import Activity, Entry, Execution, activity_id
from engine.exchange.archive import Archive
from engine.exchange.changes import Changes, Notice, Sample
from engine.exchange.corporate import CorporateAction
from engine.exchange.desk import Desk
from engine.exchange.fees import Fees, daily_entry
from engine.exchange.orders import Update, UpdateKind, Working
from engine.exchange.records import OrderRecord

_STATUS = {
    UpdateKind.ACCEPTED: OrderStatus.ACCEPTED,
    UpdateKind.NEW: OrderStatus.NEW,
    UpdateKind.PARTIAL_FILL: OrderStatus.PARTIALLY_FILLED,
    UpdateKind.FILL: OrderStatus.FILLED,
    UpdateKind.CANCELED: OrderStatus.CANCELED,
    UpdateKind.EXPIRED: OrderStatus.EXPIRED,
    UpdateKind.REJECTED: OrderStatus.REJECTED,
    UpdateKind.REPLACED: OrderStatus.REPLACED,
}
_TIME_FIELD = {
    UpdateKind.FILL: "filled_at",
    UpdateKind.CANCELED: "canceled_at",
    UpdateKind.EXPIRED: "expired_at",
    UpdateKind.REJECTED: "failed_at",
    UpdateKind.REPLACED: "replaced_at",
}


class Books:
    """Every desk, and what has changed on them. `working` finds an order in the matching engine."""

    def __init__(
        self, working: Callable[[str], Working | None], archive: Archive | None = None, fees: Fees | None = None
    ) -> None:
        self._fees = fees or Fees()
        self.archive = archive
        self.desks: dict[str, Desk] = {}
        self.fills = 0
        self._trailing: dict[str, OrderRecord] = {}
        self._orders = self._activities = 0
        self._working = working
        self._changes = Changes()

    def take_changes(self) -> Changes:
        changes, self._changes = self._changes, Changes()
        return changes

    def count_from(self, orders: int, activities: int) -> None:
        """Go on from the highest numbers that an earlier run has given."""
        self._orders, self._activities = orders, activities

    def add(self, desk: Desk, record: OrderRecord) -> None:
        """Put an order on its desk; a new one is given its number."""
        if not record.number:
            record.number = self._orders + 1
        self._orders = max(self._orders, record.number)
        desk.add(record)
        if record.type is OrderType.TRAILING_STOP and record.is_open:
            self._trailing[record.order_id] = record

    def follow_marks(self) -> None:
        """Note how far trailing stops have moved, so that a restart does not set them back."""
        for order_id, record in self._trailing.items():
            working = self._working(order_id)
            if working is not None and working.high_water_mark != record.high_water_mark:
                record.high_water_mark, record.stop_price = working.high_water_mark, working.stop
                self.keep(record)

    def next_activity(self) -> int:
        self._activities += 1
        return self._activities

    def enter(self, desk: Desk, entry: Entry, split: Decimal | None = None) -> None:
        """Book what is not a fill; `split` is the number of shares that a split makes of one."""
        if split is None:
            desk.account.book(entry)
        else:
            desk.account.split(entry, split)
        self._keep_activity(desk, entry)

    def close_day(self, now: int, price_of: PriceOf) -> None:
        for desk in self.desks.values():
            self._charge(desk, now)
            desk.account.end_day(price_of)
            self.touch(desk.account)
            self._changes.closes.append(Sample(desk.account_id, now, desk.account.last_equity, closes_day=True))

    def _charge(self, desk: Desk, now: int) -> None:
        accrued, desk.account.accrued = desk.account.accrued, {}
        for name, amount in accrued.items():
            self.enter(desk, daily_entry(desk.account_id, name, amount, now, self.next_activity()))

    def touch(self, account: TradingAccount) -> None:
        self._changes.accounts[account.account_id] = account

    def keep_action(self, action: CorporateAction) -> None:
        self._changes.actions[action.action_id] = action

    def keep(self, record: OrderRecord) -> None:
        """Note an order that has changed."""
        self._changes.orders.append(msgspec.structs.replace(record))

    def book(self, update: Update) -> OrderRecord:
        """Returns the order that the update is about, as it stands now."""
        desk = self.desks[update.order.owner]
        record = desk.find(update.order.order_id)
        if record is None:
            raise OrderError(f"Order {update.order.order_id} is not on its desk.", "This is a defect: report it.")
        self._apply(desk, record, update)
        position = desk.account.quantity(record.symbol)
        frozen = msgspec.structs.replace(record)
        self._changes.orders.append(frozen)
        self._changes.notices.append(Notice(desk.account_id, update, frozen, position))
        return record

    def _apply(self, desk: Desk, record: OrderRecord, update: Update) -> None:
        record.status = _STATUS[update.kind]
        record.updated_at = update.timestamp
        if field := _TIME_FIELD.get(update.kind):
            setattr(record, field, update.timestamp)
        if update.replaced_by:
            record.replaced_by = update.replaced_by
        if (working := self._working(record.order_id)) is not None:
            record.is_triggered = working.triggered
            record.high_water_mark = working.high_water_mark
            if record.type is OrderType.TRAILING_STOP:
                record.stop_price = working.stop
        if update.kind.is_fill:
            self._fill(desk, record, update)
        if not record.is_open:
            self._trailing.pop(record.order_id, None)
            desk.ended(record)

    def _fill(self, desk: Desk, record: OrderRecord, update: Update) -> None:
        record.filled_quantity = update.filled_quantity
        record.filled_value += update.quantity * update.price
        execution = Execution(
            activity_id=activity_id(update.timestamp, update.execution_id),
            execution_id=update.execution_id,
            order_id=record.order_id,
            symbol=record.symbol,
            side=record.side,
            quantity=update.quantity,
            price=update.price,
            fee=update.fee,
            cumulative=update.filled_quantity,
            leaves=record.remaining,
            timestamp=update.timestamp,
            number=self.next_activity(),
        )
        desk.account.apply(execution)
        self.fills += 1
        self._keep_activity(desk, execution)
        desk.account.accrue(self._fees.accrued(execution))
        if (fee := self._fees.crypto(execution, self._activities + 1)) is not None:
            self._activities += 1
            self.enter(desk, fee)

    def _keep_activity(self, desk: Desk, activity: Activity) -> None:
        self._changes.activities.append((desk.account_id, activity))
        self.touch(desk.account)
