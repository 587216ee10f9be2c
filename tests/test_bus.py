"""The bus: order, protection at any load, conflation, retries, dead letters, other threads, and its figures."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.bus import Bus, DeadLetter, Overflow, Policy, Retry
from engine.domain.errors import UnavailableError
from engine.domain.events import BarEvent, Event, Priority, QuoteEvent, RiskEvent, SystemEvent
from engine.domain.market import Bar, Quote, Timeframe
from tests.virtual_time import run_virtually
from tests.waiting import until


def event(name: str) -> SystemEvent:
    return SystemEvent(event_id=name, timestamp=0, component="test", state=name)


def verdict(name: str) -> RiskEvent:
    return RiskEvent(event_id=name, timestamp=0, rule="rule", message="")


def quote(symbol: str, price: float) -> QuoteEvent:
    return QuoteEvent(event_id=f"{symbol} {price}", timestamp=0, quote=Quote(symbol, price, 1, price, 1, 0))


def bar(number: int) -> BarEvent:
    return BarEvent(
        event_id=str(number), timestamp=0, bar=Bar("SPY", Timeframe.SECOND_1, number, 1.0, 1.0, 1.0, 1.0, 1.0)
    )


def quiet(capacity: int = 10_000, dead: list[DeadLetter] | None = None) -> Bus:
    return Bus(lambda _, error: None, capacity, on_dead=None if dead is None else dead.append)


def failing(times: int, seen: list[str]) -> Callable[[Event], None]:
    """Takes an event after so many failures."""
    tries: dict[str, int] = defaultdict(int)

    def handle(event: Event) -> None:
        tries[event.event_id] += 1
        if tries[event.event_id] <= times:
            raise ValueError(f"failure {tries[event.event_id]}")
        seen.append(event.event_id)

    return handle


async def test_urgent_events_come_first_and_a_failing_handler_harms_nobody() -> None:
    failed: list[BaseException] = []
    seen: list[str] = []
    bus = Bus(lambda _, error: failed.append(error))
    bus.subscribe(SystemEvent, failing(99, seen))
    bus.subscribe(SystemEvent, lambda event: seen.append(event.event_id))
    bus.publish(event("low"), Priority.LOW)
    bus.publish(event("urgent"), Priority.URGENT)
    bus.publish(event("normal"))
    bus.start()
    await bus.close()
    assert seen == ["urgent", "normal", "low"]
    assert len(failed) == 3


async def test_who_is_told_of_a_failure_cannot_stop_the_bus() -> None:
    seen: list[str] = []
    bus = Bus(failing_reporter)
    bus.subscribe(SystemEvent, failing(99, []))
    bus.subscribe(SystemEvent, lambda event: seen.append(event.event_id))
    bus.start()
    bus.publish(event("a"))
    bus.publish(event("b"))
    await bus.close()
    assert seen == ["a", "b"]


def failing_reporter(_: Event, error: BaseException) -> None:
    raise RuntimeError("nobody listens") from error


async def test_a_slow_handler_keeps_its_order_and_delays_nobody() -> None:
    seen: list[str] = []
    gate = asyncio.Event()
    bus = quiet()

    async def slow(event: SystemEvent) -> None:
        await gate.wait()
        seen.append(f"slow {event.event_id}")

    bus.subscribe(SystemEvent, slow)
    bus.subscribe(SystemEvent, lambda event: seen.append(event.event_id))
    bus.start()
    for name in ("a", "b"):
        bus.publish(event(name))
    await until(lambda: len(seen) == 2)
    gate.set()
    await bus.close()
    assert seen == ["a", "b", "slow a", "slow b"]


async def test_a_handler_that_never_returns_does_not_keep_the_bus_from_closing() -> None:
    async def work() -> list[DeadLetter]:
        dead: list[DeadLetter] = []
        bus = quiet(dead=dead)

        async def stuck(_: SystemEvent) -> None:
            await asyncio.Event().wait()

        bus.subscribe(SystemEvent, stuck, name="stuck")
        bus.start()
        bus.publish(event("a"))
        bus.publish(event("b"))
        await bus.close()
        return dead

    dead = await asyncio.to_thread(run_virtually, work())
    assert [(letter.event.event_id, letter.handler) for letter in dead] == [("a", "stuck"), ("b", "stuck")]


@given(st.lists(st.tuples(st.sampled_from(Priority), st.sampled_from(["order", "quote", "bar"])), max_size=300))
def test_order_holds_within_a_priority_and_nothing_protected_is_lost_at_any_load(
    published: list[tuple[Priority, str]],
) -> None:
    seen: list[tuple[str, int]] = []

    async def work() -> Bus:
        bus = quiet(capacity=8)
        bus.subscribe(SystemEvent, lambda event: seen.append(("order", int(event.event_id))))
        bus.subscribe(BarEvent, lambda event: seen.append(("bar", event.bar.timestamp)))
        bus.subscribe(QuoteEvent, lambda event: seen.append(("quote", int(event.quote.bid_price))))
        for number, (priority, what) in enumerate(published):
            made = {"order": event(str(number)), "bar": bar(number), "quote": quote("SPY", float(number))}[what]
            bus.publish(made, priority)
        bus.start()
        await bus.close()
        return bus

    bus = run_virtually(work())
    orders = [(number, priority) for number, (priority, what) in enumerate(published) if what == "order"]
    told = [number for what, number in seen if what == "order"]
    assert told == [number for number, _ in sorted(orders, key=lambda pair: (pair[1], pair[0]))]
    quotes = [number for number, (_, what) in enumerate(published) if what == "quote"]
    assert [number for what, number in seen if what == "quote"] == quotes[-1:]
    bars = sum(what == "bar" for _, what in published)
    assert sum(what == "bar" for what, _ in seen) == bars - bus.dropped
    assert bus.published == len(published) - bus.dropped
    assert bus.delivered == len(seen)
    assert bus.backlog == 0


@given(st.lists(st.tuples(st.sampled_from(["SPY", "IBM", "QQQ"]), st.booleans()), max_size=200))
def test_conflation_keeps_the_newest_of_each_symbol_whenever_the_loop_gets_its_turn(
    steps: list[tuple[str, bool]],
) -> None:
    newest: dict[str, float] = {}
    held: dict[str, float] = {}

    async def work() -> None:
        bus = quiet(capacity=1)
        bus.subscribe(QuoteEvent, lambda event: held.__setitem__(event.quote.symbol, event.quote.bid_price))
        bus.start()
        for number, (symbol, turn) in enumerate(steps, 1):
            bus.publish(quote(symbol, float(number)))
            newest[symbol] = float(number)
            if turn:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                assert held == newest
        await bus.close()

    run_virtually(work())
    assert held == newest


async def test_a_slow_coroutine_handler_of_quotes_skips_to_the_newest() -> None:
    seen: list[float] = []
    gate = asyncio.Event()
    bus = quiet()

    async def slow(event: QuoteEvent) -> None:
        await gate.wait()
        seen.append(event.quote.bid_price)

    bus.subscribe(QuoteEvent, slow, name="slow")
    bus.start()
    for price in range(1, 6):
        bus.publish(quote("SPY", float(price)))
        await until(lambda: not bus.backlog)
    gate.set()
    await bus.close()
    assert seen == [1.0, 5.0]
    assert next(one for one in bus.figures().slowest if one.name == "slow").skipped == 3


async def test_a_publisher_that_can_wait_waits_for_room_and_loses_no_bar() -> None:
    seen: list[int] = []
    bus = quiet(capacity=5)
    bus.subscribe(BarEvent, lambda event: seen.append(event.bar.timestamp))
    bus.start()
    for number in range(50):
        await bus.offer(bar(number))
    await bus.close()
    assert seen == list(range(50))
    assert bus.dropped == 0


async def test_a_publisher_that_cannot_wait_has_its_bars_shed_and_counted() -> None:
    seen: list[int] = []
    bus = quiet(capacity=5)
    bus.subscribe(BarEvent, lambda event: seen.append(event.bar.timestamp))
    bus.start()
    for number in range(50):
        bus.publish(bar(number))
    await bus.close()
    assert len(seen) == 50 - bus.dropped < 50
    assert bus.figures().shed_by_kind == {"BarEvent": bus.dropped}


@pytest.mark.parametrize("kind", ["order", "bar"])
async def test_threads_lose_nothing_and_each_keeps_its_order(kind: str) -> None:
    count, seen = 3_000, defaultdict(list)
    bus = quiet(capacity=100)
    bus.subscribe(SystemEvent, lambda event: seen[event.component].append(int(event.state)))
    bus.subscribe(BarEvent, lambda event: seen[event.cause_id].append(event.bar.timestamp))
    bus.start()

    def work(name: str) -> None:
        for number in range(count):
            if kind == "order":
                told: Event = SystemEvent(event_id="", timestamp=0, component=name, state=str(number))
            else:
                one = Bar("SPY", Timeframe.SECOND_1, number, 1.0, 1.0, 1.0, 1.0, 1.0)
                told = BarEvent(event_id="", timestamp=0, cause_id=name, bar=one)
            bus.publish_threadsafe(told)

    threads = [threading.Thread(target=work, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    await until(lambda: bus.delivered == 2 * count)
    await bus.close()
    assert dict(seen) == {"one": list(range(count)), "two": list(range(count))}
    assert bus.dropped == 0


async def test_the_newest_quote_of_a_thread_arrives_however_fast_it_talks() -> None:
    held: dict[str, float] = {}
    bus = quiet(capacity=10)
    bus.subscribe(QuoteEvent, lambda event: held.__setitem__(event.quote.symbol, event.quote.bid_price))
    bus.start()

    def work(symbol: str) -> None:
        for price in range(1, 5_001):
            bus.publish_threadsafe(quote(symbol, float(price)))

    threads = [threading.Thread(target=work, args=(symbol,)) for symbol in ("SPY", "SPY", "IBM")]
    for thread in threads:
        thread.start()
    await until(lambda: not any(thread.is_alive() for thread in threads))
    await bus.close()
    assert held == {"SPY": 5_000.0, "IBM": 5_000.0}


async def test_a_closing_bus_lets_go_of_a_thread_that_waits_for_room() -> None:
    bus = quiet(capacity=1)
    bus.start()
    bus.publish(bar(0))
    thread = threading.Thread(target=bus.publish_threadsafe, args=(bar(1),))
    thread.start()
    await bus.close()
    await asyncio.to_thread(thread.join, 5.0)
    assert not thread.is_alive()


def test_a_handler_that_asks_for_it_is_tried_again_with_growing_pauses() -> None:
    async def work() -> tuple[list[float], list[DeadLetter]]:
        loop = asyncio.get_running_loop()
        tried: list[float] = []
        dead: list[DeadLetter] = []
        bus = quiet(dead=dead)

        def handle(_: SystemEvent) -> None:
            tried.append(loop.time())
            raise ValueError("never")

        bus.subscribe(SystemEvent, handle, name="h", retry=Retry(attempts=5, first=1.0, factor=2.0, longest=3.0))
        bus.start()
        bus.publish(event("a"))
        await asyncio.sleep(60.0)
        await bus.close()
        return tried, dead

    tried, dead = run_virtually(work())
    assert [round(at, 3) for at in tried] == [0.0, 1.0, 3.0, 6.0, 9.0]
    assert [(letter.key, letter.error, letter.attempts) for letter in dead] == [("a|h", "ValueError: never", 5)]
    assert "raise ValueError" in dead[0].detail


@pytest.mark.parametrize("coroutine", [False, True])
def test_a_failure_that_passes_is_delivered_once_and_leaves_no_dead_letter(coroutine: bool) -> None:
    async def work() -> tuple[list[str], list[DeadLetter], int]:
        seen: list[str] = []
        dead: list[DeadLetter] = []
        bus = quiet(dead=dead)
        handle = failing(2, seen)

        async def handle_slowly(event: SystemEvent) -> None:
            await asyncio.sleep(0.01)
            handle(event)

        bus.subscribe(SystemEvent, handle_slowly if coroutine else handle, retry=Retry())
        bus.start()
        for name in ("a", "b"):
            bus.publish(event(name))
        await asyncio.sleep(10.0)
        await bus.close()
        return seen, dead, bus.figures().retried

    assert run_virtually(work()) == (["a", "b"], [], 4)


def test_closing_does_not_wait_for_a_back_off_and_keeps_the_event_as_a_dead_letter() -> None:
    async def work() -> tuple[list[DeadLetter], float]:
        dead: list[DeadLetter] = []
        bus = quiet(dead=dead)
        handle = failing(99, [])

        async def handle_slowly(event: SystemEvent) -> None:
            handle(event)

        bus.subscribe(SystemEvent, handle, name="plain", retry=Retry(first=60.0, longest=60.0))
        bus.subscribe(SystemEvent, handle_slowly, name="coroutine", retry=Retry(first=60.0, longest=60.0))
        bus.start()
        bus.publish(event("a"))
        await asyncio.sleep(1.0)
        await bus.close()
        return dead, asyncio.get_running_loop().time()

    dead, ended = run_virtually(work())
    assert sorted(letter.key for letter in dead) == ["a|coroutine", "a|plain"]
    assert ended < 2.0


async def test_a_dead_letter_is_delivered_again_to_its_handler_only() -> None:
    seen: list[str] = []
    others: list[Event] = []
    dead: list[DeadLetter] = []
    bus = quiet(dead=dead)
    bus.subscribe(SystemEvent, failing(1, seen), name="broken")
    bus.subscribe(SystemEvent, others.append, name="well")
    bus.start()
    bus.publish(event("a"))
    await until(lambda: dead)
    await bus.redeliver(dead[0].event, dead[0].handler)
    assert (seen, len(others)) == (["a"], 1)
    with pytest.raises(UnavailableError, match="nobody") as refused:
        await bus.redeliver(dead[0].event, "nobody")
    assert refused.value.remedy
    await bus.close()


async def test_the_history_of_a_kind_is_the_last_of_it() -> None:
    bus = Bus(lambda _, error: None, remembered=3)
    bus.start()
    for number in range(5):
        bus.publish(event(str(number)))
        bus.publish(verdict(str(number)))
    await bus.close()
    assert [one.event_id for one in bus.history(SystemEvent)] == ["2", "3", "4"]
    assert [one.event_id for one in bus.history(RiskEvent, last=1)] == ["4"]
    assert bus.history(QuoteEvent) == []


async def test_a_loop_gets_its_turn_while_thousands_of_events_wait() -> None:
    """Time passes only in the handler, so the slices are exact."""
    now, turns = 0.0, 0
    bus = Bus(lambda _, error: None, monotonic=lambda: now)

    def handle(_: SystemEvent) -> None:
        nonlocal now
        now += 0.0001

    bus.subscribe(SystemEvent, handle)
    bus.start()
    for number in range(800):
        bus.publish(event(str(number)))
    while bus.delivered < 800:
        await asyncio.sleep(0)
        turns += 1
    assert turns >= 100
    await bus.close()


async def test_the_figures_name_the_slow_handler_and_measure_the_wait() -> None:
    now = 0.0
    bus = Bus(lambda _, error: None, monotonic=lambda: now)

    def slow(_: SystemEvent) -> None:
        nonlocal now
        now += 0.05

    bus.subscribe(SystemEvent, slow, name="slow")
    bus.subscribe(SystemEvent, lambda event: None, name="fast")
    bus.start()
    bus.publish(event("a"))
    now = 0.002
    await bus.close()
    figures = bus.figures()
    assert [(one.name, one.slow) for one in figures.slowest] == [("slow", 1), ("fast", 0)]
    assert figures.slowest[0].longest == pytest.approx(0.05)
    assert 0.002 <= figures.p50 == figures.p99 < 0.0025
    assert (figures.published, figures.delivered, sum(figures.depth)) == (1, 1, 0)


async def test_one_who_left_is_told_nothing_more() -> None:
    seen: list[str] = []
    bus = quiet()
    subscription = bus.subscribe(SystemEvent, lambda event: seen.append(event.event_id))
    bus.start()
    bus.publish(event("a"))
    await until(lambda: seen)
    bus.unsubscribe(SystemEvent, subscription)
    bus.publish(event("b"))
    await bus.close()
    assert seen == ["a"]


def test_a_policy_without_its_key_is_refused() -> None:
    with pytest.raises(ValueError, match="key"):
        Policy(Overflow.CONFLATE)
