"""All of the window tells times in one zone: New York's at first, then the one that is chosen, also after a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QApplication

from console.app import last_times
from console.charts.axes import TimeAxis
from console.desk import Desk
from console.theme import apply_theme, load_fonts
from console.widgets.table import TableView
from console.window import Window
from engine.domain.shown_times import Times, clock, show_times, zone_name
from tests.console.conftest import Run
from tests.console.scripted_engine import ScriptedEngine

AT = datetime(2025, 7, 1, 18, 30, 5, tzinfo=UTC)
NANOSECONDS_AT = round(AT.timestamp()) * 10**9


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    show_times(Times.EXCHANGE)


@pytest.mark.parametrize(
    ("times", "text", "zone"), [(Times.EXCHANGE, "14:30:05", "ET"), (Times.UTC, "18:30:05", "UTC")]
)
def test_a_time_is_written_in_the_zone_that_is_chosen(times: Times, text: str, zone: str) -> None:
    show_times(times)
    assert (clock(NANOSECONDS_AT), zone_name(NANOSECONDS_AT)) == (text, zone)


def test_the_machines_own_zone_follows_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    show_times(Times.MACHINE)
    local = AT.astimezone()
    assert (clock(NANOSECONDS_AT), zone_name(NANOSECONDS_AT)) == (f"{local:%H:%M:%S}", local.tzname())


def test_the_choice_changes_every_panel_at_once_and_is_remembered(run: Run, qapp: QApplication, tmp_path: Path) -> None:
    store = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    load_fonts()
    apply_theme(qapp, "dark")
    window = Window("demo", store)
    window.show()
    engine = ScriptedEngine()
    engine.views.summary.market_time = NANOSECONDS_AT

    def shown() -> tuple[str, str, str]:
        table = window.findChild(TableView, "overview.latest")
        assert table is not None
        axis = TimeAxis()
        (label,) = axis.tickStrings([AT.timestamp()], 1.0, 1.0)
        return (
            window.status._time.text().strip(),
            str(table.model().index(0, 0).data(Qt.ItemDataRole.DisplayRole)),
            label,
        )

    async def main() -> None:
        desk = Desk(engine, window, 20)
        desk.engine_runs()
        for _ in range(5):
            await asyncio.sleep(0)
        in_new_york = shown()
        window.set_times(Times.UTC)
        in_utc = shown()
        await desk.close()
        newest = next(iter(engine.views.activity)).timestamp
        assert in_new_york[0].endswith(" ET")
        assert in_utc[0].endswith(" UTC")
        assert in_utc[1:] == (clock(newest), "18:30:05")
        show_times(Times.EXCHANGE)
        assert in_new_york[1:] == (clock(newest), "14:30:05")

    run(main())
    window.leave()
    assert last_times(QSettings(store.fileName(), QSettings.Format.IniFormat)) is Times.UTC
