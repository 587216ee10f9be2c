"""The backups that the engine makes by itself: when they are due, what is told when they fail, and what Health says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.clock import ManualClock
from engine.config import load_settings
from engine.domain.events import Severity
from engine.installation import Installation
from engine.orchestrator.backups import BackupDesk
from engine.orchestrator.schedule import Schedule
from engine.storage.backup import parts
from engine.storage.backup.keep import backups
from engine.tables import Table
from engine.views import HealthRow
from tests.storage.market_rows import NOW
from tests.storage.test_journal import order, write
from tests.waiting import until

HOUR = 3_600


class Installed:
    """An installation with a journal, and the desk of an engine that runs on it."""

    def __init__(self, data: Path, **section: object) -> None:
        self.clock = ManualClock(NOW)
        self.health: Table[HealthRow] = Table()
        self.told: list[tuple[str, str, Severity]] = []
        self.settings = load_settings(data, {"backup": section})
        self.folder = self.settings.backup.folder or data / "backups"
        self.desk = self.opened()

    def opened(self) -> BackupDesk:
        """As after a start of the engine."""
        return BackupDesk(
            self.settings, self.settings.data / "backups", self.health, self.clock,
            lambda component, message, remedy, severity: self.told.append((message, remedy, severity)),
        )  # fmt: skip

    @property
    def made(self) -> list[Path]:
        return [path for path, _ in backups(self.folder, "demo")]

    @property
    def state(self) -> str:
        row = self.health.get("backup")
        return "" if row is None else row.state

    async def look(self, hours: float = 0.0) -> None:
        """After so many hours; then Health is written, as it is once a second."""
        self.clock.advance(hours * HOUR)
        await self.desk.look()
        await self.desk._show()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nobody"))
    with Installation(tmp_path / "data", "demo") as here:
        asyncio.run(write(here.journal, order(1)))
    return tmp_path / "data"


async def test_one_a_day_is_made_also_when_the_console_is_closed_every_evening(data: Path) -> None:
    installed = Installed(data, keep=2)
    await installed.look()
    assert installed.made == [], "a start has more urgent work"
    await installed.look()
    assert (len(installed.made), installed.state) == (1, "good")
    await installed.look(23)
    assert len(installed.made) == 1
    installed.desk = installed.opened()
    await installed.look(1)
    await installed.look()
    assert len(installed.made) == 2
    first = installed.made[0]
    await installed.look(24)
    assert len(installed.made) == 2 and not first.exists()
    assert installed.told == []


async def test_one_that_cannot_be_made_is_told_once_with_its_remedy_and_again_when_it_works(
    data: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "elsewhere"
    folder.write_text("in the way")
    installed = Installed(data, folder=folder)
    for _ in range(4):
        await installed.look()
    ((message, remedy, severity),) = installed.told
    assert str(folder) in message and remedy and severity is Severity.ERROR
    assert installed.state == "warning"
    folder.unlink()
    await installed.look()
    assert (installed.state, len(installed.made)) == ("good", 1)
    assert [severity for *_, severity in installed.told] == [Severity.ERROR, Severity.INFO]


async def test_health_is_bad_when_the_last_one_is_twice_as_old_as_it_should_be_but_not_after_a_holiday(
    data: Path,
) -> None:
    installed = Installed(data)
    await installed.look()
    await installed.look()
    installed.desk = installed.opened()
    await installed.look(24 * 14)
    assert installed.state == "good", "the first one is not due before the engine has started"
    Installation(data, "demo").journal.rename(data / "gone")
    await installed.look()
    assert installed.state == "bad"
    row = installed.health.get("backup")
    assert row is not None and "14 days old" in row.detail


async def test_what_could_not_be_read_is_told_although_the_rest_is_saved(data: Path) -> None:
    installed = Installed(data, market_database=True)
    Installation(data, "demo").market_database.write_bytes(b"no database" * 1_000)
    await installed.look()
    await installed.look()
    assert len(installed.made) == 1
    assert "lacks the market database" in installed.told[0][0]
    assert installed.state == "warning"


async def test_an_engine_that_stops_does_not_wait_for_one(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = Installed(data)
    await installed.look()
    copying, go_on = threading.Event(), threading.Event()
    copy = parts.sqlite_files.copy

    def slowly(*arguments: object) -> None:
        copying.set()
        go_on.wait(10)
        copy(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(parts.sqlite_files, "copy", slowly)
    looking = asyncio.create_task(installed.look())
    await until(copying.is_set)
    installed.desk.close()
    go_on.set()
    await looking
    assert list(installed.folder.iterdir()) == [] and installed.told == []


@asynccontextmanager
async def scheduled(installed: Installed) -> AsyncIterator[None]:
    schedule = Schedule(installed.clock)
    schedule.every(0.01, "display")
    installed.desk.join(schedule)
    running = asyncio.create_task(schedule.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_the_schedule_carries_it_unless_it_is_switched_off(data: Path) -> None:
    installed = Installed(data)
    async with scheduled(installed):
        await until(lambda: installed.state == "good")
    switched_off = Installed(data, every_h=0)
    async with scheduled(switched_off):
        await asyncio.sleep(0)
    assert switched_off.state == ""
