"""Run by the interpreter of the peers, which knows nothing of ours: one JSON line for each of pyee, NautilusTrader, vnpy.

Each is given one prepared event again and again, in the same bursts as ours, to 1 and to 10 handlers that do nothing;
then single events, one after another, for the time from publishing to the handler.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

BURST, BURSTS, SINGLES = 5_000, 10, 2_000

Publish = Callable[[], None]
Waiter = Callable[[int], None]


class Counter:
    """The last handler: counts, and notes when."""

    def __init__(self) -> None:
        self.count = 0
        self.at = 0.0
        self.wanted = -1
        self.reached = threading.Event()

    def __call__(self, *_: Any) -> None:
        self.count += 1
        if self.count == self.wanted:
            self.at = time.perf_counter()
            self.reached.set()

    def wait(self, wanted: int) -> None:
        if self.count < wanted:
            self.reached.wait(30)
        self.reached.clear()


def nothing(number: int) -> Callable[..., None]:
    return lambda *_: None


def pyee(handlers: list[Callable[..., None]]) -> Iterator[Publish]:
    from pyee import EventEmitter  # type: ignore[import-not-found]

    emitter, event = EventEmitter(), object()
    for handler in handlers:
        emitter.on("event", handler)
    yield lambda: emitter.emit("event", event)


def nautilus(handlers: list[Callable[..., None]]) -> Iterator[Publish]:
    from nautilus_trader.common.component import MessageBus, TestClock  # type: ignore[import-not-found]
    from nautilus_trader.model.identifiers import TraderId  # type: ignore[import-not-found]

    bus, event = MessageBus(trader_id=TraderId("A-1"), clock=TestClock()), object()
    for handler in handlers:
        bus.subscribe("event", handler)
    yield lambda: bus.publish("event", event)


def vnpy(handlers: list[Callable[..., None]]) -> Iterator[Publish]:
    from vnpy.event import Event, EventEngine  # type: ignore[import-not-found]

    engine, event = EventEngine(), Event("event")
    for handler in handlers:
        engine.register("event", handler)
    engine.start()
    yield lambda: engine.put(event)
    engine.stop()


def measure(make: Callable[[list[Callable[..., None]]], Iterator[Publish]], handlers: int) -> dict[str, float]:
    counter = Counter()
    life = make([*map(nothing, range(handlers - 1)), counter])
    publish = next(life)
    began = time.perf_counter()
    for burst in range(1, BURSTS + 1):
        counter.wanted = burst * BURST
        for _ in range(BURST):
            publish()
        counter.wait(counter.wanted)
    rate = BURST * BURSTS / (time.perf_counter() - began)
    waits = sorted(_single(publish, counter) for _ in range(SINGLES))
    next(life, None)
    return {"rate": rate, "p50": waits[SINGLES // 2] * 1e6, "p99": waits[SINGLES * 99 // 100] * 1e6}


def _single(publish: Publish, counter: Counter) -> float:
    counter.wanted = counter.count + 1
    before = time.perf_counter()
    publish()
    counter.wait(counter.wanted)
    return counter.at - before


def main() -> None:
    for name, make in (("pyee", pyee), ("NautilusTrader MessageBus", nautilus), ("vnpy EventEngine", vnpy)):
        try:
            for handlers in (1, 10):
                print(json.dumps({"peer": name, "handlers": handlers, **measure(make, handlers)}), flush=True)
        except ImportError:
            continue


if __name__ == "__main__":
    main()
