"""The steps of an engine's life at which it can be made to kill itself, each planted in the real code."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.broker.alpaca import AlpacaBroker
from engine.domain.orders import Fill, Order
from engine.execution.book import OrderBook
from engine.execution.cancels import Cancels
from engine.execution.ledger import Ledger
from engine.execution.reconcile import Reconciler
from engine.execution.signals import SignalDesk
from engine.execution.switch import TradingSwitch
from engine.execution.trading import TradingCore
from engine.execution.write_behind import WriteBehind
from engine.orchestrator.engine import TradingEngine
from engine.storage import snapshots
from engine.storage.journal import Journal

STEPS: dict[str, Callable[[Callable[[], None]], None]] = {}


def step(plant: Callable[[Callable[[], None]], None]) -> Callable[[Callable[[], None]], None]:
    STEPS[plant.__name__] = plant
    return plant


def _before(owner: Any, name: str, reached: Callable[[], None], when: Callable[..., bool] = lambda *_: True) -> None:
    real = getattr(owner, name)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        if when(*arguments):
            reached()
        return real(*arguments, **options)

    setattr(owner, name, wrapped)


def _after(owner: Any, name: str, reached: Callable[[], None], when: Callable[..., bool] = lambda *_: True) -> None:
    real = getattr(owner, name)

    async def wrapped(*arguments: Any, **options: Any) -> Any:
        result = await real(*arguments, **options)
        if when(*arguments):
            reached()
        return result

    setattr(owner, name, wrapped)


def _at_the_end_of(owner: Any, name: str, reached: Callable[[], None]) -> None:
    real = getattr(owner, name)

    def wrapped(*arguments: Any, **options: Any) -> None:
        real(*arguments, **options)
        reached()

    setattr(owner, name, wrapped)


@step
def before_the_intent_is_written(reached: Callable[[], None]) -> None:
    _before(Ledger, "save_before_sending", reached)


@step
def after_the_intent_is_written(reached: Callable[[], None]) -> None:
    _after(Ledger, "save_before_sending", reached)


@step
def before_it_is_sent(reached: Callable[[], None]) -> None:
    _before(AlpacaBroker, "submit", reached)


@step
def after_the_venue_has_it(reached: Callable[[], None]) -> None:
    _after(AlpacaBroker, "submit", reached)


@step
def when_the_venues_answer_is_known(reached: Callable[[], None]) -> None:
    _before(OrderBook, "take_order", reached)


@step
def when_a_fill_is_told(reached: Callable[[], None]) -> None:
    _before(OrderBook, "take_fill", reached)


@step
def before_a_fill_is_written(reached: Callable[[], None]) -> None:
    _before(WriteBehind, "write", reached, lambda _, *entries: any(isinstance(entry, Fill) for entry in entries))


@step
def before_an_answer_is_written(reached: Callable[[], None]) -> None:
    _before(WriteBehind, "write", reached, lambda _, *entries: any(isinstance(entry, Order) for entry in entries))


@step
def before_a_commit(reached: Callable[[], None]) -> None:
    _before(Journal, "_commit", reached)


@step
def in_the_middle_of_a_commit(reached: Callable[[], None]) -> None:
    _at_the_end_of(Journal, "_insert", reached)


@step
def when_a_commit_is_done(reached: Callable[[], None]) -> None:
    _at_the_end_of(Journal, "_commit", reached)


@step
def before_a_cancel_is_written(reached: Callable[[], None]) -> None:
    _before(Cancels, "_note", reached)


@step
def before_a_cancel_is_sent(reached: Callable[[], None]) -> None:
    _before(AlpacaBroker, "cancel", reached)


@step
def after_a_cancel_was_taken(reached: Callable[[], None]) -> None:
    _after(AlpacaBroker, "cancel", reached)


@step
def before_the_trading_state_is_written(reached: Callable[[], None]) -> None:
    _before(TradingSwitch, "write", reached)


@step
def after_the_trading_state_is_written(reached: Callable[[], None]) -> None:
    _after(TradingSwitch, "write", reached)


@step
def in_the_middle_of_an_emergency_stop(reached: Callable[[], None]) -> None:
    _after(AlpacaBroker, "cancel_all", reached)


@step
def when_it_compares_with_the_venue(reached: Callable[[], None]) -> None:
    _before(TradingCore, "_compare", reached)


@step
def when_orders_are_compared_and_positions_are_not(reached: Callable[[], None]) -> None:
    _after(Reconciler, "orders", reached)


@step
def when_a_snapshot_is_half_written(reached: Callable[[], None]) -> None:
    real = snapshots._write

    def half(place: Path, *parts: bytes) -> None:
        real(place, b"".join(parts)[:60])
        reached()
        real(place, *parts)

    snapshots._write = half


@step
def before_a_snapshot_takes_its_place(reached: Callable[[], None]) -> None:
    _before(Path, "replace", reached, lambda path, *_: path.suffix == snapshots._PARTIAL)


@step
def before_a_snapshots_folder_is_synced(reached: Callable[[], None]) -> None:
    _before(snapshots, "_sync_folder", reached)


@step
def when_it_is_told_to_stop(reached: Callable[[], None]) -> None:
    _before(TradingEngine, "stop", reached)


@step
def when_the_bots_signals_are_over(reached: Callable[[], None]) -> None:
    _after(SignalDesk, "close", reached)


@step
def when_orders_on_the_wire_are_over(reached: Callable[[], None]) -> None:
    _after(TradingCore, "stop", reached)


@step
def before_the_journal_is_closed(reached: Callable[[], None]) -> None:
    _before(Journal, "close", reached)


@step
def when_the_journal_is_closed(reached: Callable[[], None]) -> None:
    _after(Journal, "close", reached)


AT_THE_END = frozenset(
    {
        "when_it_is_told_to_stop",
        "when_the_bots_signals_are_over",
        "when_orders_on_the_wire_are_over",
        "before_the_journal_is_closed",
        "when_the_journal_is_closed",
    }
)
"""Steps that only an engine which is being stopped reaches."""
AT_THE_START = frozenset({"when_it_compares_with_the_venue", "when_orders_are_compared_and_positions_are_not"})
"""Steps that come before it trades."""
SELDOM = AT_THE_END | AT_THE_START
"""Steps that need not come a second time in a life."""


class Countdown:
    """SIGKILL at the `count`-th call since `arm`; nothing is flushed, no handler runs."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._armed = False

    def arm(self) -> None:
        self._armed = True

    def __call__(self) -> None:
        self._left -= self._armed
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
