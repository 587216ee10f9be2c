"""Faults on request, so that tests and people can see what a client makes of them: what there is, and what is armed."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any

import msgspec

from engine.exchange.refusals import invalid

MAX_COUNT = 10_000
MAX_SECONDS = 600
MAX_ARMED = 100
METHODS = ("", "GET", "POST", "PATCH", "PUT", "DELETE")
STREAMS = ("data", "trading", "all")


class FaultKind(StrEnum):
    HTTP_STATUS = "http_status"
    """The next `count` requests answer `status`; with `after` they are carried out first. A 429 names the instant
    `seconds` ahead as the end of the limit.
    """
    LOSE_RESPONSE = "lose_response"
    """The next `count` requests are carried out and their connection is closed without an answer."""
    DELAY = "delay"
    """The next `count` requests wait `seconds` before they are carried out, even if the client has left by then; with
    `after`, only their answer waits.
    """
    HANG = "hang"
    """The next `count` requests are not answered until the fault is cleared; a client that leaves before that has asked
    for nothing. With `after` they are carried out first.
    """
    READ_LAG = "read_lag"
    """Orders, positions and the account are shown as they were `seconds` ago, until CLEAR."""
    LOSE_UPDATES = "lose_updates"
    """The next `count` trade updates are not sent."""
    DUPLICATE_UPDATES = "duplicate_updates"
    """The next `count` trade updates are sent twice."""
    DELAY_UPDATES = "delay_updates"
    """The next `count` trade updates are sent `seconds` late, after others that follow them."""
    REORDER_UPDATES = "reorder_updates"
    """The next `count` trade updates are kept until all of them are there, and are sent in reverse order."""
    CLOCK_SKEW = "clock_skew"
    """/v2/clock is off by `seconds`, which may be negative, until CLEAR."""
    MUTE_STREAMS = "mute_streams"
    """Streams stay open and send nothing, until CLEAR; `stream` is data, trading or all."""
    DROP_STREAMS = "drop_streams"
    """Streams are closed now, once."""
    RESTART = "restart"
    """Every socket is closed now; `seconds` later the same port serves what the state folder has."""
    CLEAR = "clear"
    """Nothing is armed any more; what hangs is carried out, what is kept back is sent."""


REQUESTS = frozenset({FaultKind.HTTP_STATUS, FaultKind.LOSE_RESPONSE, FaultKind.DELAY, FaultKind.HANG})
UPDATES = frozenset(
    {FaultKind.LOSE_UPDATES, FaultKind.DUPLICATE_UPDATES, FaultKind.DELAY_UPDATES, FaultKind.REORDER_UPDATES}
)
AT_ONCE = frozenset({FaultKind.DROP_STREAMS, FaultKind.RESTART, FaultKind.CLEAR})


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    kind: FaultKind
    count: int = 1
    status: int = 500
    seconds: float = 1.0
    after: bool = False
    html: bool = False
    """With `status`: a page of a gateway in the place of the venue's JSON."""
    path: str = ""
    """Only requests whose path begins with it."""
    method: str = ""
    """Only requests of this method."""
    stream: str = "all"

    @property
    def acts_first(self) -> bool:
        """Whether the request is carried out before the fault meets its answer."""
        return self.after or self.kind is FaultKind.LOSE_RESPONSE

    def meets(self, method: str, path: str, is_stream: bool) -> bool:
        """A stream can be refused or kept waiting at its door; it has no answer that could be lost."""
        if self.kind not in REQUESTS or (is_stream and self.acts_first):
            return False
        return path.startswith(self.path) and self.method in ("", method)


class Armed(msgspec.Struct, kw_only=True):
    """A fault that waits for its moment. `left` is None for one that stays until it is disarmed."""

    number: int
    fault: Fault
    left: int | None
    fired: int = 0

    def shown(self) -> dict[str, Any]:
        return {"n": self.number, **msgspec.to_builtins(self.fault), "left": self.left, "fired": self.fired}


def read_fault(body: bytes) -> Fault:
    """Raises Refusal for a fault that does not exist or a value out of range."""
    try:
        fault = msgspec.json.decode(body, type=Fault)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise invalid(str(error)) from error
    least = 2 if fault.kind is FaultKind.REORDER_UPDATES else 1
    if not least <= fault.count <= MAX_COUNT or not 400 <= fault.status <= 599:
        raise invalid(f"count must be {least} to {MAX_COUNT} and status 400 to 599")
    if not math.isfinite(fault.seconds) or abs(fault.seconds) > MAX_SECONDS:
        raise invalid(f"seconds must be at most {MAX_SECONDS}")
    if fault.seconds < 0 and fault.kind is not FaultKind.CLOCK_SKEW:
        raise invalid("seconds must not be negative")
    if fault.stream not in STREAMS:
        raise invalid("stream must be data, trading or all")
    if fault.method not in METHODS:
        raise invalid("method must be GET, POST, PATCH, PUT or DELETE")
    return fault
