"""The window over a scripted engine: every panel in both themes, clicks that reach the engine, errors that have a home."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QSettings, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QDialog, QLabel, QLineEdit, QWidget

from console.desk import Desk
from console.widgets.stop_button import HOLD_KEYS
from console.widgets.table import TableView
from console.widgets.ticket_form import read_number
from console.widgets.tree import TreeView
from console.window import TABS, Window
from engine.control import Verdict
from tests.console.conftest import Run
from tests.console.scripted_engine import ScriptedEngine
from tests.waiting import until


def find(window: Window, name: str, kind: type[Any] = QAbstractButton) -> Any:
    found = window.findChild(kind, name)
    assert found is not None, name
    return found


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("filled", [True, False])
def test_every_panel_can_be_shown(run: Run, window: Window, theme: str, filled: bool) -> None:
    engine = ScriptedEngine(filled)

    async def main() -> None:
        desk = Desk(engine, window, 20)
        desk.engine_runs()
        window.set_theme(theme)
        for position in range(len(TABS)):
            window.tabs.setCurrentIndex(position)
            for _ in range(5):
                await asyncio.sleep(0)
            picture = window.grab().toImage()
            colours = {picture.pixel(x, y) for x in range(0, picture.width(), 9) for y in range(60, 700, 9)}
            assert len(colours) > 3, f"{TABS[position]} is blank"
        await desk.close()

    run(main())
    assert [said for said in engine.asked if said[0] == "report_error"] == []


def test_process_buttons_reach_the_engine_for_the_selected_rows_only(run: Run, window: Window) -> None:
    engine = ScriptedEngine()

    async def main() -> None:
        desk = Desk(engine, window, 50)
        window.tabs.setCurrentIndex(2)
        table = find(window, "processes.table", TreeView)
        await until(lambda: table.select_where(lambda row: row.name == "feed"))
        assert not find(window, "processes.start").isEnabled()
        QTest.mouseClick(find(window, "processes.stop"), Qt.MouseButton.LeftButton)
        await until(lambda: engine.asked)
        table.select_where(lambda row: row.name == "exchange")
        QTest.mouseClick(find(window, "processes.start"), Qt.MouseButton.LeftButton)
        await until(lambda: len(engine.asked) == 2)
        await desk.close()

    run(main())
    assert engine.asked == [("stop_processes", ["feed"]), ("start_processes", ["exchange"])]


def test_undelivered_events_are_delivered_or_discarded_and_out_of_sight_when_there_are_none(
    run: Run, window: Window
) -> None:
    engine = ScriptedEngine()

    async def main() -> None:
        desk = Desk(engine, window, 50)
        window.tabs.setCurrentIndex(4)
        table = find(window, "errors.letters", TableView)
        assert not find(window, "errors.deliver").isEnabled()
        await until(lambda: table.select_where(lambda row: True))
        QTest.mouseClick(find(window, "errors.deliver"), Qt.MouseButton.LeftButton)
        await until(lambda: engine.asked)
        QTest.mouseClick(find(window, "errors.discard"), Qt.MouseButton.LeftButton)
        await until(lambda: len(engine.asked) == 2)
        assert table.isVisible()
        engine.views.dead_letters.remove("1|window")
        await until(lambda: not table.isVisible())
        await desk.close()

    run(main())
    assert engine.asked == [("deliver_dead_letters", ["1|window"]), ("discard_dead_letters", ["1|window"])]


def test_a_pause_is_said_in_the_overview_and_in_the_status_bar_and_can_be_ended(run: Run, window: Window) -> None:
    engine = ScriptedEngine()

    async def main() -> None:
        desk = Desk(engine, window, 50)
        desk.engine_runs()
        pause, resume = find(window, "overview.pause"), find(window, "overview.resume")
        state = find(window, "status.state", QLabel)
        QTest.mouseClick(pause, Qt.MouseButton.LeftButton)
        await until(lambda: engine.asked)
        engine.views.summary.engine_state = "PAUSED"
        engine.views.summary.engine_state_reason = "by hand"
        await until(lambda: "ACTIVE, BOTS PAUSED" in state.text() and resume.isVisible() and not pause.isVisible())
        assert "by hand" in find(window, "overview.bots", QLabel).text()
        QTest.mouseClick(resume, Qt.MouseButton.LeftButton)
        await until(lambda: len(engine.asked) == 2)
        engine.views.summary.engine_state = "RUNNING"
        await until(lambda: "PAUSED" not in state.text() and pause.isVisible())
        await desk.close()

    run(main())
    assert engine.asked == [("pause", "paused by hand"), ("resume",)]


def test_what_a_click_raises_is_shown_and_recorded(run: Run, window: Window) -> None:
    engine = ScriptedEngine()

    async def main() -> None:
        desk = Desk(engine, window, 50)

        async def broken() -> None:
            raise ZeroDivisionError("of all things")

        button = find(window, "overview.pause")
        desk.tasks.spawn(broken(), "a click", button)
        assert not button.isEnabled()
        await until(lambda: engine.asked)
        assert button.isEnabled()
        assert window.notices.isVisible()
        await desk.close()

    run(main())
    assert engine.asked[0][:2] == ("report_error", "window")
    assert "of all things" in engine.asked[0][2]


def test_the_ticket_sends_once_and_only_what_risk_allows(run: Run, window: Window) -> None:
    engine = ScriptedEngine()

    async def main() -> None:
        desk = Desk(engine, window, 50)
        window.tabs.setCurrentIndex(1)
        submit = find(window, "ticket.submit")
        await until(submit.isEnabled)
        engine.verdict = Verdict(allowed=False, rule="x", message="Too much.", remedy="Trade less.")
        find(window, "ticket.quantity", QLineEdit).setText("9999")
        assert not submit.isEnabled()
        assert "Too much. Trade less." in find(window, "ticket.verdict", QWidget).text()
        engine.verdict = Verdict(allowed=True)
        find(window, "ticket.quantity", QLineEdit).setText("2")
        QTest.mouseDClick(submit, Qt.MouseButton.LeftButton)
        QTest.keyClick(find(window, "ticket.quantity", QLineEdit), Qt.Key.Key_Return)
        await until(lambda: engine.asked)
        await until(submit.isEnabled)
        await desk.close()

    run(main())
    assert [said[0] for said in engine.asked] == ["place_order"]
    assert engine.asked[0][1].quantity == 2


@pytest.mark.parametrize("text", ["", "1e5", "1,000", "nan", "-1", "0", "1.2.3", "∞", "１", " "])
def test_doubtful_numbers_are_refused(text: str) -> None:
    number, problem = read_number(text, "quantity")
    assert number is None
    assert problem


@pytest.mark.parametrize("by", ["mouse", "keys"])
def test_the_emergency_stop_needs_to_be_held(run: Run, window: Window, by: str) -> None:
    engine = ScriptedEngine()

    async def main() -> None:
        desk = Desk(engine, window, 50)
        desk.engine_runs()
        button = find(window, "emergency.stop")
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)
        QTest.keyClick(window, Qt.Key.Key_Escape, HOLD_KEYS)
        assert engine.asked == []
        if by == "mouse":
            QTest.mousePress(button, Qt.MouseButton.LeftButton)
        else:
            QTest.keyPress(window, Qt.Key.Key_Escape, HOLD_KEYS)
        await until(lambda: engine.asked)
        text = window.findChild(QWidget, "emergency.text")
        assert text is not None
        await until(lambda: "FLAT CONFIRMED" in text.text())  # type: ignore[attr-defined]
        await desk.close()

    run(main())
    assert engine.asked[0][0] == "emergency_stop"


def test_the_emergency_dialog_stays_until_the_outcome_is_known_and_leaving_waits_for_it(
    run: Run, window: Window
) -> None:
    engine = ScriptedEngine()
    answer = asyncio.Event()

    async def slow_stop(reason: str, flatten: bool = True) -> None:
        await answer.wait()
        raise ZeroDivisionError("of all things")

    engine.emergency_stop = slow_stop  # type: ignore[method-assign,assignment]

    async def main() -> None:
        desk = Desk(engine, window, 50)
        desk.engine_runs()
        find(window, "emergency.stop").held.emit()
        dialog = find(window, "emergency.dialog", QDialog)
        QTest.keyClick(dialog, Qt.Key.Key_Escape)
        dialog.close()
        assert dialog.isVisible()
        closing = asyncio.ensure_future(desk.close())
        await asyncio.sleep(0)
        assert not closing.done()
        answer.set()
        await closing
        assert "NOT CONFIRMED: ZeroDivisionError" in find(window, "emergency.text", QWidget).text()
        repeat = QKeyEvent(QKeyEvent.Type.KeyPress, Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier, autorep=True)
        QApplication.sendEvent(dialog, repeat)
        assert dialog.isVisible()
        QTest.keyClick(dialog, Qt.Key.Key_Escape)
        assert not dialog.isVisible()

    run(main())
    assert engine.asked[-1][0] == "report_error"


def test_closing_the_window_twice_does_not_wait_for_an_emergency_stop(run: Run, window: Window) -> None:
    engine = ScriptedEngine()

    async def endless(reason: str, flatten: bool = True) -> None:
        await asyncio.Event().wait()

    engine.emergency_stop = endless  # type: ignore[method-assign,assignment]

    async def main() -> None:
        desk = Desk(engine, window, 50)
        desk.engine_runs()
        find(window, "emergency.stop").held.emit()
        closing = asyncio.ensure_future(desk.close())
        for _ in range(5):
            await asyncio.sleep(0)
        assert not closing.done()
        window.close()
        await closing

    run(main())


def test_while_the_engine_stops_nothing_can_be_clicked(run: Run, window: Window) -> None:
    engine = ScriptedEngine()

    async def main() -> None:
        desk = Desk(engine, window, 50)
        window.cover.say("Stopping…")
        place = find(window, "overview.pause").mapTo(window, QPoint(5, 5))
        assert window.childAt(place) is window.cover
        await desk.close()

    run(main())


def test_a_feed_that_does_not_answer_is_told_in_the_chart(run: Run, window: Window) -> None:
    engine = ScriptedEngine()

    async def main() -> None:
        desk = Desk(engine, window, 50)
        window.tabs.setCurrentIndex(1)
        panel: Any = desk.panels[1]
        panel.show_symbol("AAPL")
        await until(lambda: "did not answer" in panel.chart._overlay.text())
        panel.show_symbol("SPY")
        await until(lambda: len(panel.chart.series) == 200)
        await desk.close()

    run(main())


def test_the_window_comes_back_where_it_was(qapp: QApplication, store: QSettings) -> None:
    first = Window("demo", store)
    first.resize(1100, 730)  # the offscreen screen is 800 pixels high
    first.leave()
    second = Window("demo", store)
    assert (second.width(), second.height()) == (1100, 730)
    second.leave()


def test_closing_asks_first_and_leaves_later(qapp: QApplication, store: QSettings) -> None:
    window = Window("demo", store)
    window.show()
    asked: list[bool] = []
    window.closing.connect(lambda: asked.append(True))
    window.close()
    assert window.isVisible()
    assert asked == [True]
    window.leave()
    assert not window.isVisible()
