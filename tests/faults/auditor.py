"""The auditor: reads the exchange's own ledger and holds against it what the engine did, believes and told."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from engine.control import EmergencyReport, Placed
from engine.domain.orders import Fill, OrderStatus
from engine.exchange.accounts import START_CASH
from engine.exchange.activities import Execution
from engine.execution.trading import TradingCore
from engine.portfolio.positions import EXTERNAL_SLEEVE
from tests.faults.venue import VirtualVenue

NEVER = frozenset({OrderStatus.REJECTED, OrderStatus.BLOCKED})
NOT_THERE = frozenset({*NEVER, OrderStatus.UNRESOLVED, OrderStatus.SENT})
"""What the engine may say of an order that the venue does not have."""


class Audit(msgspec.Struct):
    problems: list[str]
    ledger: list[Any]
    orders: int
    fills: int


def audit(
    venue: VirtualVenue,
    core: TradingCore,
    wishes: dict[str, str],
    placed: dict[str, Placed],
    cancelled: set[str],
    reports: list[tuple[EmergencyReport, int, int]],
) -> Audit:
    """`wishes` tells the wish behind each client order id that was journalled, `placed` what was answered to a person."""
    desk = venue.desk
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
    say = found.problems.append
    by_wish: dict[str, list[str]] = defaultdict(list)
    for key in records:
        if key not in wishes:
            say(f"{key} is at the venue and was never written down")
        elif wishes[key].startswith("wish-"):
            by_wish[wishes[key]].append(key)
    for wish, keys in by_wish.items():
        if len(keys) > 1:
            say(f"doubled: {wish} became {keys}")
    for key, record in records.items():
        order = core.ledger.book.get(key)
        if order is None:
            say(f"lost: the engine does not know {key}, which is {record.status.value} at the venue")
        elif (order.status, order.filled_quantity) != (record.status, record.filled_quantity):
            say(
                f"{key} is {order.status.value} {order.filled_quantity} here and"
                f" {record.status.value} {record.filled_quantity} at the venue"
            )
    for order in core.ledger.book:
        if order.client_order_id not in records and order.status not in NOT_THERE:
            say(f"{order.client_order_id} is {order.status.value} here and the venue never had it")
    for key, told in placed.items():
        if OrderStatus(told.status) in NEVER and key in records:
            say(f"{key} was told as {told.status} and is at the venue")
        if told.status == OrderStatus.UNRESOLVED.value and key in records and records[key].is_open:
            say(f"{key} surfaced after nobody knew what became of it, and was left open")
    for key in cancelled & set(records):
        if records[key].is_open:
            say(f"{key} was cancelled and is still open at the venue")
    _compare_money(found, venue, core)
    for report, orders, positions in reports:
        if orders or positions:
            say(f"{report.text}, and the venue had {orders} open orders and {positions} positions")
    return found


def _compare_money(found: Audit, venue: VirtualVenue, core: TradingCore) -> None:
    account, positions = venue.desk.account, core.ledger.positions
    sleeves = {record.order_id: record.client_order_id.split("-", 1)[1].rpartition("-")[0] for record in venue.desk}
    held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    cash = START_CASH
    for execution in _executions(venue):
        signed = execution.quantity * execution.side.sign
        held[execution.symbol, sleeves[execution.order_id]] += signed
        cash -= signed * execution.price + execution.fee
    if cash != account.cash:
        found.problems.append(f"the venue's cash is {account.cash}, its executions come to {cash}")
    for symbol in venue.venue.catalogue:
        name = symbol.symbol
        if positions.net(name) != account.quantity(name):
            found.problems.append(
                f"position in {name}: {positions.net(name)} here, {account.quantity(name)} at the venue"
            )
        if external := positions.get(name, EXTERNAL_SLEEVE).quantity:
            found.problems.append(f"{external} {name} are taken for somebody else's")
    for (name, sleeve), quantity in held.items():
        if positions.get(name, sleeve).quantity != quantity:
            ours = positions.get(name, sleeve).quantity
            found.problems.append(f"{sleeve} holds {ours} {name} here and traded {quantity} at the venue")


def audit_journal(found: Audit, venue: VirtualVenue, path: Path) -> None:
    """After the engine's end: the fills on the disk make up the venue's cash to the cent, each once."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        fills = [msgspec.json.decode(body, type=Fill) for (body,) in database.execute("SELECT body FROM fills")]
    spent = sum((fill.quantity * fill.side.sign * fill.price for fill in fills), Decimal(0))
    account = venue.desk.account
    if START_CASH - spent != account.cash:
        found.problems.append(f"the fills in the journal leave ${START_CASH - spent}, the venue has ${account.cash}")
    missing = {e.execution_id for e in _executions(venue)} ^ {fill.execution_id for fill in fills}
    if missing:
        found.problems.append(f"{len(missing)} executions are not in both journal and ledger")


def _executions(venue: VirtualVenue) -> list[Execution]:
    return [activity for activity in venue.desk.account.activities if isinstance(activity, Execution)]
