"""Faults on request, so that tests and people can see what a client makes of them. Switched by POST /paddock/faults."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from engine.exchange.refusals import invalid

MAX_COUNT = 10_000


class FaultKind(StrEnum):
    HTTP_STATUS = "http_status"
    """The next `count` requests answer `status`; with `after` they are carried out first."""
    LOSE_RESPONSE = "lose_response"
    """The next `count` requests are carried out and their connection is closed without an answer."""
    MUTE_STREAMS = "mute_streams"
    """Streams stay open and send nothing, until CLEAR; `stream` is data, trading or all."""
    DROP_STREAMS = "drop_streams"
    """Streams are closed now, once."""
    CLEAR = "clear"


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    kind: FaultKind
    count: int = 1
    status: int = 500
    after: bool = False
    path: str = ""
    """Only requests whose path begins with it."""
    method: str = ""
    """Only requests of this method."""
    stream: str = "all"


class RequestFault(msgspec.Struct, kw_only=True):
    fault: Fault
    left: int


class Faults:
    def __init__(self) -> None:
        self._requests: list[RequestFault] = []
        self._muted: set[str] = set()
        self.fired = 0

    def read(self, body: bytes) -> Fault:
        """Raises Refusal for a fault that does not exist or a value out of range."""
        try:
            fault = msgspec.json.decode(body, type=Fault)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise invalid(str(error)) from error
        if not 1 <= fault.count <= MAX_COUNT or not 400 <= fault.status <= 599:
            raise invalid(f"count must be 1 to {MAX_COUNT} and status 400 to 599")
        if fault.stream not in ("data", "trading", "all"):
            raise invalid("stream must be data, trading or all")
        return fault

    def set(self, fault: Fault) -> None:
        """Keep a fault for what comes; DROP_STREAMS is the server's to carry out."""
        if fault.kind is FaultKind.CLEAR:
            self._requests.clear()
            self._muted.clear()
        elif fault.kind is FaultKind.MUTE_STREAMS:
            self._muted |= {"data", "trading"} if fault.stream == "all" else {fault.stream}
        elif fault.kind in (FaultKind.HTTP_STATUS, FaultKind.LOSE_RESPONSE):
            self._requests = [*self._requests, RequestFault(fault=fault, left=fault.count)][-100:]

    def for_request(self, method: str, path: str) -> Fault | None:
        """The fault that this request meets; its count goes down."""
        for waiting in self._requests:
            fault = waiting.fault
            if path.startswith(fault.path) and fault.method in ("", method):
                waiting.left -= 1
                self.fired += 1
                if waiting.left == 0:
                    self._requests.remove(waiting)
                return fault
        return None

    def is_muted(self, stream: str) -> bool:
        return stream in self._muted
