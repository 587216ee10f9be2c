"""Which faults are armed, how often each has fired, and who waits for one to end."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from engine.exchange.server.faults import AT_ONCE, MAX_ARMED, REQUESTS, UPDATES, Armed, Fault, FaultKind

_LOOK = 0.1
"""Seconds between two looks whether the client of a request that hangs is still there."""


class Faults:
    """Outlives a restart of the exchange, which is one of them."""

    def __init__(self) -> None:
        self.armed: list[Armed] = []
        self.fired: Counter[FaultKind] = Counter()
        self.hanging = 0
        self._numbers = 0
        self._watchers: dict[str, Callable[[], None]] = {}
        self._released: dict[int, asyncio.Event] = {}

    def watch(self, name: str, changed: Callable[[], None]) -> None:
        """`changed` is called after a fault was armed or disarmed, in the place of an earlier one of that name."""
        self._watchers[name] = changed

    def set(self, fault: Fault) -> Armed:
        """Keep a fault for what comes. One that happens at once is the server's to carry out; CLEAR is done here."""
        self._numbers += 1
        counted = fault.kind in REQUESTS or fault.kind in UPDATES
        armed = Armed(number=self._numbers, fault=fault, left=fault.count if counted else None)
        if fault.kind is FaultKind.CLEAR:
            self.clear()
        elif fault.kind in AT_ONCE:
            self._fired(armed)
        else:
            self._keep([*self.armed, armed][-MAX_ARMED:])
        return armed

    def clear(self) -> None:
        """Disarm everything."""
        self._keep([])
        self._release(list(self._released))

    def disarm(self, number: int) -> bool:
        """Whether there was such a fault."""
        left = [armed for armed in self.armed if armed.number != number]
        found = len(left) < len(self.armed) or number in self._released
        self._keep(left)
        self._release([number])
        return found

    def for_request(self, method: str, path: str, is_stream: bool) -> Armed | None:
        """The fault that this request meets; its count goes down. The exchange's own routes meet none."""
        if path.startswith("/paddock/"):
            return None
        return self._take(lambda fault: fault.meets(method, path, is_stream))

    def for_update(self) -> Armed | None:
        """The fault that the next trade update meets; its count goes down."""
        return self._take(lambda fault: fault.kind in UPDATES)

    def is_muted(self, stream: str) -> bool:
        """Asked when there is something to send."""
        found = self._standing(FaultKind.MUTE_STREAMS, lambda fault: fault.stream in (stream, "all"))
        if found is not None:
            self._fired(found)
        return found is not None

    def clock_skew(self) -> float:
        """Seconds by which the clock is wrong; asked when somebody looks at it."""
        found = self._standing(FaultKind.CLOCK_SKEW)
        if found is None:
            return 0.0
        self._fired(found)
        return found.fault.seconds

    @property
    def read_lag(self) -> Armed | None:
        return self._standing(FaultKind.READ_LAG)

    def lagged(self, armed: Armed) -> None:
        """Something old has been shown."""
        self._fired(armed)

    async def hang(self, armed: Armed, is_gone: Callable[[], bool]) -> bool:
        """True when the fault was disarmed, False when the client left."""
        released = self._released.setdefault(armed.number, asyncio.Event())
        self.hanging += 1
        try:
            while not is_gone():
                try:
                    await asyncio.wait_for(released.wait(), _LOOK)
                except TimeoutError:
                    continue
                return True
            return False
        finally:
            self.hanging -= 1
            if not self.hanging:
                standing = {found.number for found in self.armed}
                self._released = {n: event for n, event in self._released.items() if n in standing}

    def shown(self) -> dict[str, Any]:
        return {
            "armed": [armed.shown() for armed in self.armed],
            "fired": dict(self.fired),
            "hanging": self.hanging,
        }

    def _standing(self, kind: FaultKind, suits: Callable[[Fault], bool] = lambda _: True) -> Armed | None:
        """The newest one of a kind."""
        return next((x for x in reversed(self.armed) if x.fault.kind is kind and suits(x.fault)), None)

    def _take(self, suits: Callable[[Fault], bool]) -> Armed | None:
        armed = next((armed for armed in self.armed if suits(armed.fault)), None)
        if armed is not None:
            self._fired(armed)
            if armed.left is not None:
                armed.left -= 1
            if armed.left == 0:
                self.armed.remove(armed)
        return armed

    def _fired(self, armed: Armed) -> None:
        armed.fired += 1
        self.fired[armed.fault.kind] += 1

    def _keep(self, armed: list[Armed]) -> None:
        self.armed = armed
        for changed in list(self._watchers.values()):
            changed()

    def _release(self, numbers: list[int]) -> None:
        """The requests that hang because of these faults go on."""
        for number in numbers:
            if (released := self._released.pop(number, None)) is not None:
                released.set()
