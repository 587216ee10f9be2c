"""The chain behind each order, with the real broker and exchange."""

from __future__ import annotations

import msgspec

from engine.clock import ManualClock
from engine.control import Verdict
from engine.execution.flight import KEPT, FlightRecorder
from tests.execution.conftest import Desk, buy
from tests.waiting import until


async def test_every_hop_is_there_in_order_of_time(desk: Desk) -> None:
    desk.core.flights.cause("signal-1", "sma-cross: weight +0.50")
    placed = await desk.core.place(msgspec.structs.replace(buy(2), cause_id="signal-1"))
    await until(lambda: any(hop.name == "fill" for hop in desk.core.flights.of(placed.client_order_id)))
    hops = desk.core.flights.of(placed.client_order_id)
    names = [hop.name for hop in hops]
    assert names[:3] == ["signal", "verdict", "intent durable"]
    assert {"answer", "update", "fill"} <= set(names)
    assert [hop.monotonic for hop in hops] == sorted(hop.monotonic for hop in hops)
    assert "allowed" in hops[1].detail


async def test_a_blocked_order_says_which_rule_and_what_it_saw(desk: Desk) -> None:
    placed = await desk.core.place(buy(100_000))
    signal, *_ = desk.core.flights.of(placed.client_order_id)
    assert signal.name == "verdict"
    assert "blocked by" in signal.detail
    assert "equity" in signal.detail


def test_the_oldest_leave_first() -> None:
    recorder = FlightRecorder(ManualClock())
    for number in range(KEPT + 5):
        recorder.begin(str(number), "", Verdict(allowed=True))
    assert recorder.of("4") == []
    assert recorder.of("5") != []
