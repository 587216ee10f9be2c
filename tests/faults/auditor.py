"""The auditor: reads the exchange's own ledger and holds against it what the engine did, believes and told."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from engine.control import EmergencyReport
from engine.domain.orders import Fill, OrderStatus
from engine.domain.portfolio import Booking
from engine.exchange.accounts import START_CASH
from engine.exchange.activities import Entry, Execution
from engine.exchange.records import OrderRecord
from engine.execution.trading import TradingCore
from engine.portfolio.bookings import TRANSFER
from engine.portfolio.positions import EXTERNAL_SLEEVE
from tests.faults.lineage import Lineage
from tests.faults.outsider import PREFIX
from tests.faults.people import FOUND, People
from tests.faults.venue import VirtualVenue

NEVER = frozenset({OrderStatus.REJECTED, OrderStatus.BLOCKED})
NOT_THERE = frozenset({*NEVER, OrderStatus.UNRESOLVED, OrderStatus.SENT})
"""What the engine may say of an order that the venue does not have."""
OTHERS = ("", EXTERNAL_SLEEVE, FOUND)
"""Where what somebody else trades is booked, and what of it we have closed."""


class Audit(msgspec.Struct):
    problems: list[str]
    ledger: list[Any]
    orders: int
    fills: int


def audit(
    venue: VirtualVenue,
    core: TradingCore,
    wishes: dict[str, str],
    people: People,
    reports: list[tuple[EmergencyReport, int, int]],
) -> Audit:
    """`wishes` tells the wish behind each client order id that was journalled."""
    desk, lineage = venue.desk, Lineage(venue.desk)
    records = {record.client_order_id: record for record in desk}
    executions = _executions(venue)
    found = Audit(
        problems=[],
        ledger=[
            [(r.client_order_id, r.status.value, str(r.filled_quantity), r.updated_at) for r in records.values()],
            [(e.execution_id, str(e.quantity), str(e.price), e.timestamp) for e in executions],
            str(desk.account.cash),
        ],
        orders=len(records),
        fills=len(executions),
    )
    _compare_wishes(found, records, lineage, wishes, people)
    _compare_orders(found, records, lineage, core)
    _compare_answers(found, records, lineage, people)
    _compare_money(found, venue, core, lineage)
    for report, orders, positions in reports:
        if orders or positions:
            found.problems.append(f"{report.text}, and the venue had {orders} open orders and {positions} positions")
    return found


def _compare_wishes(
    found: Audit, records: dict[str, OrderRecord], lineage: Lineage, wishes: dict[str, str], people: People
) -> None:
    """Each order was wanted and written down first, and of each wish came one line of orders, not more than was wanted."""
    lines: dict[str, dict[str, OrderRecord]] = defaultdict(dict)
    for key, record in records.items():
        first = lineage.first(record)
        elsewhere = key.startswith(PREFIX) or (record is first and record.parent_id)
        if key not in wishes and lineage.sleeve(record) and not elsewhere:
            found.problems.append(f"{key} is at the venue and was never written down")
        if record.parent_id is None and wishes.get(key, "").startswith("wish-"):
            lines[wishes[key]][first.order_id] = first
    for wish, firsts in lines.items():
        if len(firsts) > 1:
            found.problems.append(f"doubled: {wish} became {[first.client_order_id for first in firsts.values()]}")
    filled: dict[str, Decimal] = defaultdict(Decimal)
    for key, record in records.items():
        if record.parent_id is None and wishes.get(key, "") in people.asked:
            filled[wishes[key]] += record.filled_quantity
    for wish, asked in people.asked.items():
        # A replacement is for what was left: what its predecessors had filled comes on top of what is asked of it.
        most = max(
            units + (lineage.filled_before(records[key]) if key in records else 0) for key, units in asked.items()
        )
        if filled[wish] > most:
            found.problems.append(f"{filled[wish]} were traded for {wish}, which was for {most} at most")


def _compare_orders(found: Audit, records: dict[str, OrderRecord], lineage: Lineage, core: TradingCore) -> None:
    """The engine knows each order as the venue has it, and has none besides; those of somebody else's that have ended
    only where they took the place of one of ours.
    """
    say = found.problems.append
    for key, record in records.items():
        order = core.ledger.book.get(key)
        if order is None:
            if record.is_open or lineage.sleeve(record) or not key.startswith(PREFIX):
                say(f"lost: the engine does not know {key}, which is {record.status.value} at the venue")
        elif (order.status, order.filled_quantity) != (record.status, record.filled_quantity):
            say(
                f"{key} is {order.status.value} {order.filled_quantity} here and"
                f" {record.status.value} {record.filled_quantity} at the venue"
            )
        elif record.is_open and order.quantity != record.quantity:
            say(f"{key} is for {order.quantity} here and for {record.quantity} at the venue")
    for order in core.ledger.book:
        if order.client_order_id not in records and order.status not in NOT_THERE:
            say(f"{order.client_order_id} is {order.status.value} here and the venue never had it")


def _compare_answers(found: Audit, records: dict[str, OrderRecord], lineage: Lineage, people: People) -> None:
    """What people were told is so."""
    say = found.problems.append
    for key, told in people.placed.items():
        if OrderStatus(told.status) in NEVER and key in records:
            say(f"{key} was told as {told.status} and is at the venue")
        if told.status == OrderStatus.UNRESOLVED.value and key in records and lineage.newest(records[key]).is_open:
            say(f"{key} surfaced after nobody knew what became of it, and was left open")
    for key in people.cancelled & set(records):
        if lineage.newest(records[key]).is_open:
            say(f"{key} was cancelled, and it or what took its place is still open at the venue")


def _compare_money(found: Audit, venue: VirtualVenue, core: TradingCore, lineage: Lineage) -> None:
    account, positions = venue.desk.account, core.ledger.positions
    sleeves = {record.order_id: lineage.sleeve(record) for record in venue.desk}
    held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    cash = START_CASH
    for execution in _executions(venue):
        signed = execution.quantity * execution.side.sign
        held[execution.symbol, sleeves[execution.order_id]] += signed
        cash -= signed * execution.price + execution.fee
    cash += sum((entry.amount for entry in _entries(venue)), Decimal(0))
    if cash != account.cash:
        found.problems.append(f"the venue's cash is {account.cash}, its executions and entries come to {cash}")
    # Whose the new shares are depends on what each sleeve held when we heard of the split.
    split = {entry.symbol for entry in _entries(venue) if entry.quantity}
    for symbol in venue.venue.catalogue:
        name = symbol.symbol
        if positions.net(name) != account.quantity(name):
            found.problems.append(
                f"position in {name}: {positions.net(name)} here, {account.quantity(name)} at the venue"
            )
        if name in split:
            continue
        # What somebody else trades is nobody's, or his who has adopted the order.
        others = sum((positions.get(name, sleeve).quantity for sleeve in OTHERS), Decimal(0))
        traded = sum((held[name, sleeve] for sleeve in OTHERS), Decimal(0))
        if others != traded:
            found.problems.append(f"{others} {name} are taken for somebody else's, who traded {traded}")
    for (name, sleeve), quantity in held.items():
        if sleeve not in OTHERS and name not in split and positions.get(name, sleeve).quantity != quantity:
            ours = positions.get(name, sleeve).quantity
            found.problems.append(f"{sleeve} holds {ours} {name} here and traded {quantity} at the venue")


def audit_journal(found: Audit, venue: VirtualVenue, core: TradingCore, path: Path) -> None:
    """After the engine's end: fills and bookings on the disk, each once, make up the venue's cash to the cent, and what
    the engine last took each sleeve to hold.
    """
    with contextlib.closing(sqlite3.connect(path)) as database:
        fills = [msgspec.json.decode(body, type=Fill) for (body,) in database.execute("SELECT body FROM fills")]
        facts = database.execute("SELECT body FROM facts WHERE key LIKE 'booking/%'")
        bookings = [msgspec.json.decode(body, type=Booking) for (body,) in facts]
    _compare_bookings(found, venue, bookings)
    _compare_sleeves(found, core, fills, bookings)
    spent = sum((fill.quantity * fill.side.sign * fill.price for fill in fills), Decimal(0))
    account = venue.desk.account
    left = START_CASH - spent + sum((part.amount for booking in bookings for part in booking.parts), Decimal(0))
    if left != account.cash:
        found.problems.append(f"fills and bookings in the journal leave ${left}, the venue has ${account.cash}")
    missing = {e.execution_id for e in _executions(venue)} ^ {fill.execution_id for fill in fills}
    if missing:
        found.problems.append(f"{len(missing)} executions are not in both journal and ledger")


def _compare_bookings(found: Audit, venue: VirtualVenue, bookings: list[Booking]) -> None:
    """Each entry of the venue's was taken once, whole."""
    theirs = {entry.activity_id: (entry.quantity, entry.amount) for entry in _entries(venue)}
    ours = {
        one.booking_id: (sum(part.quantity for part in one.parts), sum(part.amount for part in one.parts))
        for one in bookings
        if one.kind != TRANSFER
    }
    if theirs != ours:
        found.problems.append(f"the venue booked {theirs}, the journal has {ours}")


def _compare_sleeves(found: Audit, core: TradingCore, fills: list[Fill], bookings: list[Booking]) -> None:
    held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for fill in fills:
        held[fill.symbol, fill.sleeve] += fill.quantity * fill.side.sign
    for booking in bookings:
        for part in booking.parts:
            held[booking.symbol, part.sleeve] += part.quantity
    for (symbol, sleeve), quantity in held.items():
        ours = core.ledger.positions.get(symbol, sleeve).quantity
        if sleeve not in ("", EXTERNAL_SLEEVE) and ours != quantity:
            found.problems.append(f"{sleeve} holds {ours} {symbol} here, and {quantity} by the journal")


def _entries(venue: VirtualVenue) -> list[Entry]:
    return [activity for activity in venue.desk.account.activities if isinstance(activity, Entry)]


def _executions(venue: VirtualVenue) -> list[Execution]:
    return [activity for activity in venue.desk.account.activities if isinstance(activity, Execution)]
