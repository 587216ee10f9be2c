"""`python -m tests.faults.dying_engine STEP COUNT ARGUMENTS…`: the real headless engine, which kills itself at a step.

SIGKILL comes at the COUNT-th time that the step is reached; nothing is flushed, no handler runs.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from engine.broker.alpaca import AlpacaBroker
from engine.domain.orders import Fill, Order, OrderStatus
from engine.execution.book import OrderBook
from engine.execution.ledger import Ledger
from engine.execution.signals import SignalDesk
from engine.execution.trading import TradingCore
from engine.execution.write_behind import WriteBehind
from engine.orchestrator.engine import TradingEngine
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


def _is(status: OrderStatus) -> Callable[..., bool]:
    return lambda _, order: isinstance(order, Order) and order.status is status


@step
def before_the_intent_is_written(reached: Callable[[], None]) -> None:
    _before(Ledger, "save", reached, _is(OrderStatus.INTENT))


@step
def after_the_intent_is_written(reached: Callable[[], None]) -> None:
    _after(Ledger, "save", reached, _is(OrderStatus.INTENT))


@step
def after_sent_is_written(reached: Callable[[], None]) -> None:
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
def when_a_commit_is_done(reached: Callable[[], None]) -> None:
    real = Journal._commit

    def commit(self: Journal, work: Any) -> None:
        real(self, work)
        reached()

    Journal._commit = commit  # type: ignore[method-assign]


@step
def when_it_compares_with_the_venue(reached: Callable[[], None]) -> None:
    _before(TradingCore, "_compare", reached)


@step
def when_it_is_told_to_stop(reached: Callable[[], None]) -> None:
    _before(TradingEngine, "stop", reached)


@step
def when_the_bots_signals_are_over(reached: Callable[[], None]) -> None:
    _after(SignalDesk, "close", reached)


@step
def before_the_journal_is_closed(reached: Callable[[], None]) -> None:
    _before(Journal, "close", reached)


AT_THE_END = frozenset({"when_it_is_told_to_stop", "when_the_bots_signals_are_over", "before_the_journal_is_closed"})
"""Steps that only an engine which is being stopped reaches."""
ONCE = AT_THE_END | {"when_it_compares_with_the_venue"}
"""Steps that come once in a life."""


def main() -> None:
    name, count = sys.argv[1], int(sys.argv[2])
    left = count

    def reached() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    STEPS[name](reached)
    from engine.cli.app import app

    app(sys.argv[3:])


if __name__ == "__main__":
    main()
