"""The Processes panel: groups that open and close commands for all of theirs, keys, figures, incidents, and a question
before a critical process is stopped while money is at stake.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from PySide6.QtCore import QItemSelectionModel, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QMessageBox, QPushButton, QTabWidget

from console.models.grouped import GroupedModel
from console.models.table import Column
from console.panels.processes import Processes
from console.tasks import Tasks
from console.theme import apply_theme, tokens
from console.widgets.figures import Figures
from console.widgets.table import TableView
from console.widgets.tree import TreeView
from engine.tables import Table
from engine.views import CapacityView, ProcessRow
from tests.console.conftest import Run
from tests.console.scripted_engine import ScriptedEngine
from tests.waiting import until


def process(name: str, group: str, state: str = "RUNNING", *, critical: bool = False) -> ProcessRow:
    return ProcessRow(name=name, group=group, kind=name, state=state, critical=critical, pid=7, rss_bytes=10_000_000)


@pytest.fixture
def engine() -> ScriptedEngine:
    engine = ScriptedEngine()
    for name in ("feed", "exchange", "sma-cross", "hub"):
        engine.views.processes.remove(name)
    for row in (
        process("feed", "market data", critical=True),
        process("sma-cross", "bots"),
        process("rsi", "bots", "FATAL"),
        process("hub", "core", "STOPPED"),
    ):
        engine.views.processes.put(row.name, row)
    return engine


@pytest.fixture
def panel(qapp: QApplication, engine: ScriptedEngine) -> Any:
    control: Any = engine
    panel = Processes(control, Tasks(lambda *said: engine.asked.append(("failed", *said))))
    panel.resize(1300, 700)
    panel.show()
    panel.refresh()
    panel.tick()
    yield panel
    panel.close()


def tree_of(panel: Processes) -> TreeView:
    tree = panel.findChild(TreeView, "processes.table")
    assert tree is not None
    return tree


def select_group(tree: TreeView, name: str) -> None:
    for place in range(tree.source.rowCount()):
        index = tree.source.index(place, 0)
        if index.data() == name:
            flags = QItemSelectionModel.SelectionFlag.ClearAndSelect | QItemSelectionModel.SelectionFlag.Rows
            tree.selectionModel().setCurrentIndex(index, flags)
            return
    raise AssertionError(name)


def test_a_group_is_commanded_as_a_whole_and_each_process_once(
    run: Run, panel: Processes, engine: ScriptedEngine
) -> None:
    async def main() -> None:
        tree = tree_of(panel)
        select_group(tree, "bots")
        assert [row.name for row in tree.rows()] == ["sma-cross", "rsi"]
        tree.selectAll()
        assert sorted(row.name for row in tree.rows()) == ["feed", "hub", "rsi", "sma-cross"]
        select_group(tree, "bots")
        QTest.keyClick(tree, Qt.Key.Key_R, Qt.KeyboardModifier.ControlModifier)
        await until(lambda: engine.asked)

    run(main())
    assert engine.asked == [("restart_processes", ["sma-cross", "rsi"])]


def test_the_keyboard_alone_starts_and_stops(run: Run, panel: Processes, engine: ScriptedEngine) -> None:
    async def main() -> None:
        tree = tree_of(panel)
        tree.select_where(lambda row: row.name == "hub")
        QTest.keyClick(tree, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
        await until(lambda: engine.asked)
        tree.select_where(lambda row: row.name == "sma-cross")
        QTest.keyClick(tree, Qt.Key.Key_Delete)
        await until(lambda: len(engine.asked) == 2)

    run(main())
    assert engine.asked == [("start_processes", ["hub"]), ("stop_processes", ["sma-cross"])]


@pytest.mark.parametrize("answer", ["Cancel", "Stop anyway"])
def test_a_critical_process_is_stopped_only_after_a_question_while_positions_are_open(
    run: Run, panel: Processes, engine: ScriptedEngine, answer: str
) -> None:
    async def main() -> None:
        tree_of(panel).select_where(lambda row: row.name == "feed")
        QTest.mouseClick(panel.findChild(QPushButton, "processes.stop"), Qt.MouseButton.LeftButton)
        box = panel.findChild(QMessageBox, "processes.stop_critical")
        assert box is not None and "feed" in box.text()
        assert engine.asked == []
        (button,) = [each for each in box.buttons() if each.text() == answer]
        button.click()
        if answer != "Cancel":
            await until(lambda: engine.asked)

    run(main())
    assert engine.asked == ([] if answer == "Cancel" else [("stop_processes", ["feed"])])


def test_without_a_position_nothing_is_asked(run: Run, panel: Processes, engine: ScriptedEngine) -> None:
    async def main() -> None:
        engine.views.positions.remove("SPY|sma-cross")
        tree_of(panel).select_where(lambda row: row.name == "feed")
        QTest.mouseClick(panel.findChild(QPushButton, "processes.stop"), Qt.MouseButton.LeftButton)
        await until(lambda: engine.asked)

    run(main())


def test_the_chosen_process_shows_its_hour_and_its_own_incidents(panel: Processes) -> None:
    tree, detail = tree_of(panel), panel.findChild(QTabWidget, "processes.detail")
    incidents = panel.findChild(TableView, "processes.incidents")
    figures = panel.findChild(Figures)
    assert detail is not None and incidents is not None and figures is not None
    tree.select_where(lambda row: row.name == "feed")
    assert (detail.tabText(1), incidents.filtered.rowCount()) == ("Incidents", 0)
    tree.select_where(lambda row: row.name == "sma-cross")
    assert (detail.tabText(1), incidents.filtered.rowCount()) == ("Incidents 1", 1)
    assert figures.toolTip().startswith("the last 1 min")
    detail.setCurrentIndex(1)
    panel.refresh()  # opens the newest card
    cause = panel.findChild(QLabel, "processes.incident.cause")
    assert cause is not None and cause.text() == "It crashed in native code."


def test_the_chosen_process_says_what_it_is_what_it_uses_and_which_limit_is_near(
    panel: Processes, engine: ScriptedEngine
) -> None:
    def said(name: str) -> str:
        line = panel.findChild(QLabel, f"processes.chosen.{name}")
        assert line is not None
        return "" if line.isHidden() else line.text()

    tree_of(panel).select_where(lambda row: row.name == "feed")
    assert said("facts").startswith("critical: ") and "the next crash is the last" in said("facts")
    row = process("feed", "market data", critical=True)
    row.detail, row.threads, row.open_files, row.restarts_left = "iex: 5 symbols", 4, 31, 1
    row.warning = "memory 90 MB of 100 MB"
    engine.views.processes.put("feed", row)
    panel.refresh()
    panel.tick()
    assert said("says") == "iex: 5 symbols"
    assert "4 threads, 31 open files" in said("facts") and "1 restart left" in said("facts")
    assert "memory 90 MB of 100 MB" in said("warning")
    state = tree_of(panel).selectionModel().selectedRows()[0].siblingAtColumn(1)
    assert (state.data(), state.data(Qt.ItemDataRole.ToolTipRole)) == ("▲ RUNNING", "memory 90 MB of 100 MB")
    gone = process("feed", "market data")
    gone.pid, gone.state, gone.last_exit = 0, "FATAL", "killed by SIGKILL"
    engine.views.processes.put("feed", gone)
    panel.refresh()
    panel.tick()
    assert said("says") == "It was given up; start it when its cause is mended. Its last end: killed by SIGKILL."
    assert said("warning") == ""


def test_groups_say_what_theirs_add_up_to_and_go_with_their_last_row(panel: Processes, engine: ScriptedEngine) -> None:
    tree = tree_of(panel)
    groups = [tree.source.index(place, 0) for place in range(tree.source.rowCount())]
    assert {index.data(): index.siblingAtColumn(1).data() for index in groups} == {
        "bots": "1 of 2 running", "core": "0 of 1 running", "market data": "1 of 1 running",
    }  # fmt: skip
    engine.views.processes.remove("hub")
    panel.refresh()
    assert [tree.source.index(place, 0).data() for place in range(tree.source.rowCount())] == [
        "bots",
        "market data",
    ]


def test_a_selection_stays_on_its_row_while_groups_come_before_it(qapp: QApplication) -> None:
    table: Table[ProcessRow] = Table()
    columns = [Column[ProcessRow]("Name", lambda row: row.name)]
    model = GroupedModel(table, columns, lambda row: row.group, lambda group, rows: [f"{group} {len(rows)}"])
    tree = TreeView(model, "test.tree", "Empty.")
    table.put("z", process("z", "zeta"))
    model.refresh()
    assert tree.select_where(lambda row: row.name == "z")
    for name in ("a", "m", "b"):
        table.put(name, process(name, f"group {name}"))
        model.refresh()
        assert [row.name for row in tree.rows()] == ["z"]
    table.put("z", process("z", "group a"))
    model.refresh()
    names = {group.data(): len(model.rows_of(group)) for group in (model.index(place, 0) for place in range(3))}
    assert names == {"group a 2": 2, "group b 1": 1, "group m 1": 1}


def test_rows_are_sorted_within_their_groups_as_their_figures_change(panel: Processes, engine: ScriptedEngine) -> None:
    tree, processes = tree_of(panel), engine.views.processes

    def shown() -> list[list[str]]:
        groups = [tree.source.index(place, 0) for place in range(tree.source.rowCount())]
        return [[row.name for row in tree.source.rows_of(group)] for group in groups]

    def work(name: str, cpu: float) -> None:
        processes.put(name, msgspec.structs.replace(processes.get(name), cpu_percent=cpu))
        panel.refresh()

    processes.put("momentum", process("momentum", "bots"))
    for name, cpu in (("sma-cross", 9.0), ("rsi", 100.0), ("momentum", 20.0)):
        work(name, cpu)
    assert tree.select_where(lambda row: row.name == "rsi")
    assert shown() == [["sma-cross", "rsi", "momentum"], ["hub"], ["feed"]], "as they came"
    cpu = [column.title for column in tree.source.columns].index("CPU %")
    tree.sortByColumn(cpu, Qt.SortOrder.DescendingOrder)
    assert shown() == [["rsi", "momentum", "sma-cross"], ["hub"], ["feed"]]
    assert tree.source.headerData(cpu, Qt.Orientation.Horizontal) == "CPU % ↓"
    work("sma-cross", 50.0)
    assert shown()[0] == ["rsi", "sma-cross", "momentum"]
    work("rsi", 1.0)
    assert shown()[0] == ["sma-cross", "momentum", "rsi"]
    assert [row.name for row in tree.rows()] == ["rsi"], "the selection goes with its row"
    tree.sortByColumn(-1, Qt.SortOrder.AscendingOrder)
    assert shown()[0] == ["sma-cross", "rsi", "momentum"]


def test_another_theme_colours_what_is_there(qapp: QApplication, panel: Processes) -> None:
    tree = tree_of(panel)

    def colour() -> str:
        first = tree.source.index(0, 0)
        return str(tree.source.index(1, 1, first).data(Qt.ItemDataRole.ForegroundRole).name())

    colours = {}
    for theme in ("light", "dark"):
        apply_theme(qapp, theme)
        panel.restyle()
        colours[theme] = colour(), tokens().bad.lower()
    assert all(shown == wanted for shown, wanted in colours.values()), colours
    assert colours["light"] != colours["dark"]


def test_the_number_of_feeds_is_chosen_from_the_window(run: Run, panel: Processes, engine: ScriptedEngine) -> None:
    async def main() -> None:
        engine.views.summary.feeds_most = 3
        panel.tick()
        box = panel.findChild(QComboBox, "processes.feeds")
        assert box is not None and [box.itemText(place) for place in range(box.count())] == ["By load", "1", "2", "3"]
        box.setCurrentIndex(2)
        box.activated.emit(2)
        await until(lambda: engine.asked)

    run(main())
    assert engine.asked == [("scale_feeds", 2)]


def test_what_the_load_needs_is_told_with_its_reason(panel: Processes, engine: ScriptedEngine) -> None:
    panel.tick()
    label = panel.findChild(QLabel, "processes.capacity")
    assert label is not None and label.text() == ""
    engine.views.capacity = CapacityView(
        workers=1, now=1, peak=3, wanted_now=1, wanted_peak=3, rate=80.0, cpu_per_message=0.001, fixed_cpu=0.02, lag=0.0,
        peak_rate=900.0, is_guess=True, reason="80 messages/s: 1 needed now.",
    )  # fmt: skip
    panel.tick()
    assert label.text() == "1 needed now, 3 at the peak (a guess)"
    assert any(one.text() == "80 messages/s: 1 needed now." for one in panel.findChildren(QLabel))
