"""Mistakes that somebody could make in the engine, each as a patch; the days of faults must catch every one of them.

`python -m tests.faults.bugs [--seeds N]` tells for each in how many of N days it was caught.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Callable
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec

from engine.broker import outcomes
from engine.broker.alpaca import AlpacaBroker
from engine.broker.base import DuplicateOrderError, OrderRefusedError, OutcomeUnknownError, VenueFill, VenueOrder
from engine.domain.orders import Fill, Order, OrderStatus
from engine.execution import news, reconcile, transitions
from engine.execution.book import OrderBook
from engine.execution.cancels import Cancels
from engine.execution.emergency import EmergencyStop
from engine.execution.flatten import Flattening
from engine.execution.ledger import Ledger
from engine.execution.link import VenueLink
from engine.execution.reconcile import Findings, Reconciler
from engine.execution.sender import Outcome, Sender
from engine.execution.trading import TradingCore
from engine.execution.write_behind import WriteBehind
from engine.portfolio.positions import Positions
from tests.faults import (
    booking_bugs,  # noqa: F401  enters its own
    family_bugs,
)
from tests.faults.many import begin_worker
from tests.faults.planting import bug

BUGS = family_bugs.BUGS
"""Those of the modules beside this one, and those below."""


@bug
def a_new_id_for_each_attempt() -> None:
    submit, number = AlpacaBroker.submit, count(1)
    tried: set[str] = set()

    async def again(self: AlpacaBroker, order: Order) -> VenueOrder:
        if order.client_order_id in tried:
            order = msgspec.structs.replace(order, client_order_id=f"{order.client_order_id[:-4]}{next(number):04d}")
        tried.add(order.client_order_id)
        return await submit(self, order)

    AlpacaBroker.submit = again  # type: ignore[method-assign]


@bug
def not_found_is_taken_for_refused() -> None:
    async def send(self: Sender, order: Order, wanted: Callable[[], bool]) -> Outcome:
        try:
            venue = await self._broker.submit(order)
        except (OutcomeUnknownError, DuplicateOrderError) as error:
            found = await self._look(order)
            status = OrderStatus.REJECTED if found is None else found.status
            return Outcome(status, found, error.message)
        except Exception as error:
            return Outcome(OrderStatus.REJECTED, message=str(error))
        return Outcome(venue.status, venue)

    Sender.send = send  # type: ignore[method-assign]


@bug
def no_answer_is_taken_for_refused() -> None:
    submit = AlpacaBroker.submit

    async def refuse(self: AlpacaBroker, order: Order) -> VenueOrder:
        try:
            return await submit(self, order)
        except OutcomeUnknownError as error:
            raise OrderRefusedError(error.message) from error

    AlpacaBroker.submit = refuse  # type: ignore[method-assign]


@bug
def a_server_error_is_taken_for_refused() -> None:
    answered = outcomes._answered

    def told(error: Any, address: Any, now: int) -> Any:
        found = answered(error, address, now)
        return OrderRefusedError(found.message, http=500) if error.status_code == 500 else found

    outcomes._answered = told


@bug
def the_intent_is_not_written() -> None:
    async def save(self: Ledger, order: Order) -> None:
        order.status = OrderStatus.SENT
        self._announce(order)

    Ledger.save_before_sending = save  # type: ignore[method-assign]


@bug
def nobody_waits_for_the_disk() -> None:
    async def save(self: Ledger, order: Order) -> None:
        order.status = OrderStatus.SENT
        self.behind._journal.append_soon(order)

    Ledger.save_before_sending = save  # type: ignore[method-assign]


@bug
def only_the_intent_is_written() -> None:
    async def only(self: Ledger, order: Order) -> None:
        await self.behind._journal.append(order)
        order.status = OrderStatus.SENT

    Ledger.save_before_sending = only  # type: ignore[method-assign]


@bug
def what_the_disk_refused_is_forgotten() -> None:
    WriteBehind._refuse = lambda self, entries, error: None  # type: ignore[method-assign]


@bug
def fills_are_not_written() -> None:
    write = WriteBehind.write

    def drop(self: WriteBehind, *entries: Order | Fill) -> None:
        write(self, *(entry for entry in entries if isinstance(entry, Order)))

    WriteBehind.write = drop  # type: ignore[method-assign]


@bug
def a_fill_counts_as_often_as_it_is_told() -> None:
    take, number = OrderBook.take_fill, count(1)

    def twice(self: OrderBook, said: VenueFill, now: int) -> Any:
        if said.execution_id in self._executions:
            said = msgspec.structs.replace(said, execution_id=f"{said.execution_id}-{next(number)}")
        return take(self, said, now)

    OrderBook.take_fill = twice  # type: ignore[method-assign]


@bug
def old_news_is_believed() -> None:
    _every_step_is_legal()
    news.is_news = lambda order, said, first_seen: True


@bug
def a_final_state_is_left() -> None:
    _every_step_is_legal()
    real = news.is_news
    news.is_news = lambda order, said, first: True if order.status.is_final else real(order, said, first)


@bug
def a_filled_quantity_shrinks() -> None:
    take = OrderBook.take_order

    def shrink(self: OrderBook, said: VenueOrder, now: int) -> Order | None:
        order = self.get(said.client_order_id)
        if order is not None and order.venue_order_id == said.venue_order_id:
            order.filled_quantity = min(order.filled_quantity, said.filled_quantity)
        return take(self, said, now)

    OrderBook.take_order = shrink  # type: ignore[method-assign]


@bug
def nothing_is_compared_after_a_reconnect() -> None:
    def up(self: VenueLink, reason: str) -> None:
        self._core.ready = True

    VenueLink.up = up  # type: ignore[method-assign]
    Reconciler.orders = _nothing  # type: ignore[method-assign,assignment]
    Reconciler.positions = _nothing  # type: ignore[method-assign,assignment]


@bug
def nobody_polls() -> None:
    async def poll(self: TradingCore) -> None: ...

    TradingCore.poll_orders = poll  # type: ignore[method-assign]
    TradingCore.poll_positions = poll  # type: ignore[method-assign]


@bug
def only_open_orders_are_asked_for() -> None:
    async def ask(self: Reconciler, order: Order) -> bool:
        return True

    Reconciler._ask = ask  # type: ignore[method-assign]


@bug
def fills_are_asked_for_by_our_own_clock() -> None:
    async def fills(self: Reconciler) -> None:
        for fill in await self._broker.fills(self._clock.now() - 5_000_000_000):
            self._ledger.take_fill(fill)

    Reconciler.fills = fills  # type: ignore[method-assign]


@bug
def a_difference_is_somebody_elses_at_once() -> None:
    async def positions(self: Reconciler) -> Findings:
        self._ledger.positions.agree_with(await self._broker.positions())
        return Findings()

    Reconciler.positions = positions  # type: ignore[method-assign]


@bug
def an_unresolved_order_is_given_up() -> None:
    send = Sender.send

    async def give_up(self: Sender, order: Order, wanted: Callable[[], bool]) -> Outcome:
        outcome = await send(self, order, wanted)
        lost = outcome.status is OrderStatus.UNRESOLVED
        return Outcome(OrderStatus.REJECTED, message=outcome.message) if lost else outcome

    Sender.send = give_up  # type: ignore[method-assign]


@bug
def what_surfaces_is_not_watched_for() -> None:
    reconcile.WATCH = 1


@bug
def a_cancel_on_the_way_is_forgotten() -> None:
    TradingCore._is_wanted = lambda self, order, emergency: True  # type: ignore[method-assign]
    Cancels.catch_up = lambda self, orders: None  # type: ignore[method-assign]


@bug
def the_emergency_stop_believes_itself() -> None:
    async def none(self: EmergencyStop, ask: Any, what: str) -> Any:
        return ()

    EmergencyStop._until_none = none  # type: ignore[method-assign]
    EmergencyStop._ask = none  # type: ignore[method-assign]
    Flattening.unseen = lambda self, shown: []  # type: ignore[method-assign]


@bug
def positions_begin_empty_after_a_restart() -> None:
    apply = Positions.apply

    def forget(self: Positions, fill: Fill) -> Any:
        held = apply(self, fill)
        if fill.timestamp and not hasattr(forget, fill.execution_id.replace("-", "")):
            setattr(forget, fill.execution_id.replace("-", ""), True)
            return held
        held.quantity = Decimal(0)
        return held

    Positions.apply = forget  # type: ignore[method-assign]


def _every_step_is_legal() -> None:
    """Or the table of legal steps would catch it before the day does."""
    transitions.LEGAL = dict.fromkeys(OrderStatus, frozenset(OrderStatus))


async def _nothing(self: Reconciler) -> Findings:
    return Findings()


def caught(name: str, seeds: range, *, stop_at_first: bool) -> list[int]:
    """The seeds whose audit finds the bug. To be run in a process of its own: what is planted stays."""
    from tests.faults.day import live

    begin_worker()
    if live(seeds[0]).problems:
        raise RuntimeError("the engine is wrong without the bug, so nothing can be said of it")
    BUGS[name]()
    found: list[int] = []
    for seed in seeds:
        try:
            right = not live(seed).problems
        except Exception:
            # An engine that falls over is caught, too.
            right = False
        if not right:
            found.append(seed)
            if stop_at_first:
                break
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.faults.bugs", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--only")
    parser.add_argument("--first", action="store_true", help="stop at the first day that catches it")
    chosen = parser.parse_args()
    names = [chosen.only] if chosen.only else list(BUGS)
    missed = 0
    context = multiprocessing.get_context("fork")
    with context.Pool(os.cpu_count() or 1, maxtasksperchild=1) as pool:
        waiting = [
            (name, pool.apply_async(caught, (name, range(chosen.seeds)), {"stop_at_first": chosen.first}))
            for name in names
        ]
        for name, result in waiting:
            found = result.get()
            missed += not found
            print(json.dumps({"bug": name, "caught in days": len(found), "of": chosen.seeds}), flush=True)
    return int(missed > 0)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # As in __main__: the same days in every process.
        arguments = [sys.executable, "-m", "tests.faults.bugs", *sys.argv[1:]]
        os.execve(sys.executable, arguments, os.environ | {"PYTHONHASHSEED": "0"})
    sys.exit(main())
