"""The capacity planner at work: what it measures, when it reads what earlier days had, and how a person asks for it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from engine.cli.capacity import show
from engine.clock import ManualClock
from engine.config import load_settings
from engine.domain.errors import PaddockError, UnavailableError
from engine.installation import door_path
from engine.market.forecast import same_time_earlier
from engine.orchestrator.capacity import SETTLED_AFTER, CapacityDesk
from engine.orchestrator.door import Door
from engine.processes.autoscaler import ScalingLimits, WorkerLoad
from engine.storage.market.address import MarketAddress
from engine.storage.market.rows import metric_rows
from engine.storage.market.sqlite import SqliteStore
from engine.views import ProcessRow, Views
from tests.console.scripted_engine import ScriptedEngine
from tests.storage.market_rows import NOW, Database


class Watched:
    """One feed that is looked at once a second."""

    def __init__(self, folder: Path, database: MarketAddress, **said: object) -> None:
        self.views = Views()
        self.clock = ManualClock(NOW)
        self.clock.advance(1)
        self.views.processes.put(
            "feed", ProcessRow(name="feed", group="", kind="feed", state="RUNNING", critical=True, started_at=1.0)
        )
        self.desk = CapacityDesk(load_settings(folder, said), ScalingLimits(most=4), database, self.views, self.clock)

    def look(self, rate: float, cpu: float, times: int = 1, symbols: int = 12) -> None:
        for _ in range(times):
            self.clock.advance(1)
            self.plan = self.desk.plan([WorkerLoad("feed", cpu, 0.0)], {"feed": rate}, symbols)


async def recorded(database: Database, rate: float, at: int) -> None:
    store = SqliteStore(database.address.path)
    await store.open()
    rows = [row for second in range(10) for row in metric_rows("feed", at + second * 10**9, message_rate=rate)]
    await store.write({"system_metrics": rows})
    await store.close()


def test_what_a_start_costs_does_not_count_and_until_then_nothing_is_said(tmp_path: Path) -> None:
    watched = Watched(tmp_path, MarketAddress(path=str(tmp_path / "none")))
    watched.look(100, 0.99, times=int(SETTLED_AFTER))
    assert watched.plan is None and watched.views.capacity is None
    watched.look(100, 0.02, times=30)
    assert watched.views.capacity is not None
    assert watched.views.capacity.cpu_per_message == pytest.approx(0.0002)
    assert (watched.views.capacity.now, watched.views.capacity.is_guess) == (1, True)


async def test_a_peak_of_an_earlier_day_is_planned_for_but_never_more_workers_than_symbols(tmp_path: Path) -> None:
    database = Database.in_file(tmp_path)
    watched = Watched(tmp_path, database.address)
    await recorded(database, 20_000.0, same_time_earlier(NOW)[2].start)
    await watched.desk.read()
    watched.look(100, 0.02, times=30)
    assert watched.plan is not None
    assert (watched.plan.now, watched.plan.ahead, watched.plan.wanted_peak) == (1, 4, 5)
    watched.look(100, 0.02, symbols=2)
    assert watched.plan.ahead == 2
    watched.clock.advance(3_600)
    await watched.desk.read()
    watched.look(100, 0.02)
    assert watched.plan.ahead == 1 and not watched.plan.forecast.is_measured


async def test_a_replay_does_not_look_for_the_hours_of_the_clock(tmp_path: Path) -> None:
    database = Database.in_file(tmp_path)
    await recorded(database, 20_000.0, same_time_earlier(NOW)[0].start)
    watched = Watched(tmp_path, database.address, exchange={"replay": str(tmp_path)})
    await watched.desk.read()
    watched.look(100, 0.02, times=30)
    assert watched.plan is not None and not watched.plan.forecast.is_measured


async def test_the_plan_is_told_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = ScriptedEngine()
    door = Door(engine, ManualClock(), door_path(tmp_path))
    await door.open()
    with pytest.raises(PaddockError, match="No messages were measured"):
        await asyncio.to_thread(show, tmp_path, as_json=False)
    watched = Watched(tmp_path, MarketAddress(path=str(tmp_path / "none")))
    watched.look(100, 0.02, times=30)
    engine.views.capacity = watched.views.capacity
    await asyncio.to_thread(show, tmp_path, as_json=False)
    assert "1 run, 1 needed now, 1 at the peak (a guess)" in capsys.readouterr().out
    await asyncio.to_thread(show, tmp_path, as_json=True)
    assert json.loads(capsys.readouterr().out)["rate"] == 100
    await door.close()
    with pytest.raises(UnavailableError, match="No console or engine runs"):
        await asyncio.to_thread(show, tmp_path, as_json=False)
