"""The event bus with priorities, policies, history and figures on, beside a bare dict of handlers and the peers' buses.

Every round measures all of them in turn; the figures are medians over the rounds. Loops are plain asyncio.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.bus import Bus
from engine.clock import SystemClock
from engine.domain.events import Event, Priority, RiskEvent, SystemEvent
from tests.benchmarks.bus_peers import BURST, BURSTS, SINGLES

ROUNDS = 5
THREADED = 300_000
TICKS, TICK = 2_000, 5e-6
EVENT = SystemEvent(event_id="e", timestamp=0, component="benchmark", state="s")
GOALS = {1: 1_200_000, 10: 400_000}
URGENT_MS, THREAD_GOAL = 1.5, 1_000_000

Figures = dict[str, list[float]]


def nothing() -> Callable[[Event], None]:
    return lambda event: None


def bus_with(handlers: int) -> Bus:
    bus = Bus(lambda event, error: None, monotonic=SystemClock().monotonic)
    for _ in range(handlers):
        bus.subscribe(SystemEvent, nothing())
    bus.start()
    return bus


async def rate(handlers: int) -> float:
    """Events a second from `publish` to the last handler."""
    bus = bus_with(handlers)
    await asyncio.sleep(0)
    publish = bus.publish
    began = time.perf_counter()
    for _ in range(BURSTS):
        for _ in range(BURST):
            publish(EVENT)
        while bus.backlog:  # noqa: ASYNC110  one turn of the loop for each slice
            await asyncio.sleep(0)
    taken = time.perf_counter() - began
    await bus.close()
    return BURST * BURSTS / taken


async def waits(handlers: int) -> tuple[float, float]:
    """p50 and p99 of a single event's way to the last handler, microseconds."""
    bus = bus_with(handlers - 1)
    found: list[float] = []
    before = 0.0
    handled = asyncio.Event()

    def last(_: SystemEvent) -> None:
        found.append(time.perf_counter() - before)
        handled.set()

    bus.subscribe(SystemEvent, last)
    for _ in range(SINGLES):
        before = time.perf_counter()
        bus.publish(EVENT)
        await handled.wait()
        handled.clear()
    await bus.close()
    found.sort()
    return found[SINGLES // 2] * 1e6, found[SINGLES * 99 // 100] * 1e6


async def urgent() -> float:
    """Milliseconds from publishing an urgent event behind 2,000 queued ticks of 5 µs each to its handler."""
    bus = Bus(lambda event, error: None, monotonic=SystemClock().monotonic)
    reached = asyncio.get_running_loop().create_future()

    def tick(_: SystemEvent) -> None:
        end = time.perf_counter() + TICK
        while time.perf_counter() < end:
            pass

    bus.subscribe(SystemEvent, tick)
    bus.subscribe(RiskEvent, lambda event: reached.set_result(time.perf_counter()))
    bus.start()
    for _ in range(TICKS):
        bus.publish(EVENT)
    # As a socket's callback would: it becomes due while the first slice of ticks runs.
    due = time.perf_counter()
    alarm = RiskEvent(event_id="u", timestamp=0, rule="urgent", message="")
    asyncio.get_running_loop().call_soon(bus.publish, alarm, Priority.URGENT)
    took = float(await reached - due) * 1e3
    await bus.close()
    return took


async def from_thread() -> float:
    """Events a second, published in one thread and handled on the loop of another."""
    bus = Bus(lambda event, error: None, monotonic=SystemClock().monotonic)
    done, left = asyncio.Event(), THREADED

    def handle(_: SystemEvent) -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    def publish() -> None:
        put = bus.publish_threadsafe
        for _ in range(THREADED):
            put(EVENT)

    bus.subscribe(SystemEvent, handle)
    bus.start()
    began = time.perf_counter()
    threading.Thread(target=publish).start()
    await done.wait()
    taken = time.perf_counter() - began
    await bus.close()
    return THREADED / taken


def bare_dict(handlers: int) -> float:
    table: dict[type, list[Callable[[Any], None]]] = {SystemEvent: [nothing() for _ in range(handlers)]}

    def publish(event: Event) -> None:
        for handler in table[type(event)]:
            handler(event)

    began = time.perf_counter()
    for _ in range(BURST * BURSTS):
        publish(EVENT)
    return BURST * BURSTS / (time.perf_counter() - began)


def peers(python: str, found: Figures) -> None:
    script = str(Path(__file__).with_name("bus_peers.py"))
    run = subprocess.run([python, script], capture_output=True, text=True, check=False)
    for line in run.stdout.splitlines():
        said = json.loads(line)
        for what in ("rate", "p50", "p99"):
            found[f"{said['peer']} {said['handlers']} {what}"].append(said[what])


def measure() -> None:
    found: Figures = defaultdict(list)
    for _ in range(ROUNDS):
        for handlers in (1, 10):
            found[f"ours {handlers} rate"].append(asyncio.run(rate(handlers)))
            found[f"bare dict {handlers} rate"].append(bare_dict(handlers))
            p50, p99 = asyncio.run(waits(handlers))
            found[f"ours {handlers} p50"].append(p50)
            found[f"ours {handlers} p99"].append(p99)
        found["urgent"].append(asyncio.run(urgent()))
        found["thread"].append(asyncio.run(from_thread()))
        if python := os.environ.get("PADDOCK_PEERS", ""):
            peers(python, found)
    report({name: statistics.median(values) for name, values in found.items()})


def report(median: dict[str, float]) -> None:
    for handlers, goal in GOALS.items():
        others = {
            name.removesuffix(f" {handlers} rate"): value
            for name, value in median.items()
            if name.endswith(f" {handlers} rate") and not name.startswith("ours")
        }
        ours = median[f"ours {handlers} rate"]
        say(
            f"bus, events to {handlers} handler{'s' if handlers > 1 else ''}", ours, "events/s", goal, ours / goal,
            p50_us=round(median[f"ours {handlers} p50"], 1), p99_us=round(median[f"ours {handlers} p99"], 1),
            peers={name: {"value": round(value), "ratio": round(ours / value, 2), **_times(median, name, handlers)}
                   for name, value in others.items()},
        )  # fmt: skip
    urgent_ms = median["urgent"]
    say("bus, urgent event behind 2,000 ticks of 5 µs", urgent_ms, "ms", URGENT_MS, URGENT_MS / urgent_ms)
    say("bus, events from another thread", median["thread"], "events/s", THREAD_GOAL, median["thread"] / THREAD_GOAL)


def _times(median: dict[str, float], name: str, handlers: int) -> dict[str, float]:
    return {
        f"{what}_us": round(median[key], 1) for what in ("p50", "p99") if (key := f"{name} {handlers} {what}") in median
    }


def say(what: str, value: float, unit: str, goal: float, ratio: float, **more: Any) -> None:
    print(json.dumps({"what": what, "value": round(value, 3), "unit": unit, "goal": goal, "ratio": round(ratio, 2),
                      **more}, ensure_ascii=False), flush=True)  # fmt: skip
