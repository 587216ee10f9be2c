"""The periodic looks: what is held beyond its limit and what is not well is told once, and again when it has gone."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from engine.bus import Bus
from engine.domain.events import RiskEvent, Severity
from engine.orchestrator.checks import Watch, ailments, risks
from engine.orchestrator.health import write_bus
from engine.risk.limits import Limits
from engine.tables import Table
from engine.views import HealthRow
from tests.virtual_time import run_virtually

LIMITS = Limits(max_position_share=0.10, max_gross_exposure=0.25)
EQUITY = Decimal(100_000)


def keys(values: dict[str, int]) -> list[str]:
    found = risks({symbol: Decimal(value) for symbol, value in values.items()}, EQUITY, LIMITS)
    assert all(finding.message.endswith(".") and finding.remedy for finding in found)
    return [finding.key for finding in found]


def test_a_position_at_its_limit_is_well_and_one_beyond_it_is_told_whether_long_or_short() -> None:
    assert keys({"SPY": 10_000, "IBM": -10_000}) == []
    assert keys({"SPY": 10_001, "IBM": -10_001}) == ["position SPY", "position IBM"]


def test_longs_and_shorts_add_up_to_the_gross_exposure() -> None:
    assert keys({"SPY": 9_000, "IBM": -9_000, "QQQ": 9_000}) == ["gross"]


def test_without_equity_nothing_can_be_said() -> None:
    assert risks({"SPY": Decimal(1)}, Decimal(0), LIMITS) == []


def test_a_finding_is_told_when_it_comes_and_when_it_has_gone() -> None:
    told: list[tuple[str, Severity]] = []
    watch = Watch("risk", lambda component, message, remedy, severity: told.append((message, severity)))
    beyond = risks({"SPY": Decimal(20_000)}, EQUITY, LIMITS)
    for findings in (beyond, beyond, [], [], beyond):
        watch.look(findings)
    assert [severity for _, severity in told] == [Severity.WARNING, Severity.INFO, Severity.WARNING]
    assert told[1][0] == "position SPY: back within its limits"


def test_what_is_bad_is_told_and_what_is_not_known_is_not() -> None:
    rows = [HealthRow(part=state, state=state, detail="", updated_at=0) for state in ("good", "warning", "unknown")]
    feed = HealthRow(part="feed", state="bad", detail="silent for 12 s", updated_at=0)
    (found,) = ailments([*rows, feed])
    assert (found.key, found.message) == ("feed", "feed is not well: silent for 12 s")
    assert found.remedy


def test_a_bus_that_could_not_deliver_is_no_longer_good() -> None:
    async def work() -> list[str]:
        table: Table[HealthRow] = Table()
        states: list[str] = []
        bus = Bus(lambda _, error: None, on_dead=lambda letter: None)
        bus.subscribe(RiskEvent, lambda event: 1 / 0)
        bus.start()
        for _ in range(2):
            write_bus(table, bus.figures(), 0)
            states += [row.state for row in table]
            bus.publish(RiskEvent(event_id="", timestamp=0, rule="rule", message=""))
            await asyncio.sleep(1)
        await bus.close()
        assert all("1 undelivered" in row.detail for row in table if row.state == "warning")
        return states

    assert run_virtually(work()) == ["good", "warning"]
