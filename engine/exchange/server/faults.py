"""Faults on request, so that tests and people can see what a client makes of them. Switched by POST /paddock/faults."""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec

from engine.exchange.refusals import invalid

MAX_COUNT = 10_000
MAX_SECONDS = 600
MAX_ARMED = 100


class FaultKind(StrEnum):
    HTTP_STATUS = "http_status"
    """The next `count` requests answer `status`; with `after` they are carried out first."""
    LOSE_RESPONSE = "lose_response"
    """The next `count` requests are carried out and their connection is closed without an answer."""
    DELAY = "delay"
    """The next `count` requests wait `seconds` before they are carried out; with `after`, only their answer waits."""
    LOSE_UPDATES = "lose_updates"
    """The next `count` trade updates are not sent."""
    DUPLICATE_UPDATES = "duplicate_updates"
    """The next `count` trade updates are sent twice."""
    DELAY_UPDATES = "delay_updates"
    """The next `count` trade updates are sent `seconds` late, after others that follow them."""
    CLOCK_SKEW = "clock_skew"
    """/v2/clock is off by `seconds`, which may be negative, until CLEAR."""
    MUTE_STREAMS = "mute_streams"
    """Streams stay open and send nothing, until CLEAR; `stream` is data, trading or all."""
    DROP_STREAMS = "drop_streams"
    """Streams are closed now, once."""
    CLEAR = "clear"


_REQUESTS = frozenset({FaultKind.HTTP_STATUS, FaultKind.LOSE_RESPONSE, FaultKind.DELAY})
_UPDATES = frozenset({FaultKind.LOSE_UPDATES, FaultKind.DUPLICATE_UPDATES, FaultKind.DELAY_UPDATES})


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    kind: FaultKind
    count: int = 1
    status: int = 500
    seconds: float = 1.0
    after: bool = False
    path: str = ""
    """Only requests whose path begins with it."""
    method: str = ""
    """Only requests of this method."""
    stream: str = "all"


class Armed(msgspec.Struct, kw_only=True):
    fault: Fault
    left: int


class Faults:
    def __init__(self) -> None:
        self._armed: list[Armed] = []
        self._muted: set[str] = set()
        self.clock_skew = 0.0
        self.fired = 0

    def read(self, body: bytes) -> Fault:
        """Raises Refusal for a fault that does not exist or a value out of range."""
        try:
            fault = msgspec.json.decode(body, type=Fault)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise invalid(str(error)) from error
        if not 1 <= fault.count <= MAX_COUNT or not 400 <= fault.status <= 599:
            raise invalid(f"count must be 1 to {MAX_COUNT} and status 400 to 599")
        if not math.isfinite(fault.seconds) or abs(fault.seconds) > MAX_SECONDS:
            raise invalid(f"seconds must be at most {MAX_SECONDS}")
        if fault.seconds < 0 and fault.kind is not FaultKind.CLOCK_SKEW:
            raise invalid("seconds must not be negative")
        if fault.stream not in ("data", "trading", "all"):
            raise invalid("stream must be data, trading or all")
        return fault

    def set(self, fault: Fault) -> None:
        """Keep a fault for what comes; DROP_STREAMS is the server's to carry out."""
        if fault.kind is FaultKind.CLEAR:
            self._armed.clear()
            self._muted.clear()
            self.clock_skew = 0.0
        elif fault.kind is FaultKind.MUTE_STREAMS:
            self._muted |= {"data", "trading"} if fault.stream == "all" else {fault.stream}
        elif fault.kind is FaultKind.CLOCK_SKEW:
            self.clock_skew = fault.seconds
        elif fault.kind is not FaultKind.DROP_STREAMS:
            self._armed = [*self._armed, Armed(fault=fault, left=fault.count)][-MAX_ARMED:]

    def for_request(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets; its count goes down."""
        for armed in self._armed:
            fault = armed.fault
            if fault.kind in _REQUESTS and path.startswith(fault.path) and fault.method in ("", method):
                return self._fire(armed)
        return None

    def for_update(self) -> Fault | None:
        """The fault that the next trade update meets; its count goes down."""
        armed = next((armed for armed in self._armed if armed.fault.kind in _UPDATES), None)
        return None if armed is None else self._fire(armed)

    def _fire(self, armed: Armed) -> Fault:
        armed.left -= 1
        self.fired += 1
        if armed.left == 0:
            self._armed.remove(armed)
        return armed.fault

    def is_muted(self, stream: str) -> bool:
        return stream in self._muted
