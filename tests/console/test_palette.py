"""The palette finds commands and symbols by a few letters and runs one; notices can all be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QLineEdit, QWidget

from console.desk import Desk
from console.theme import apply_theme
from console.widgets.notices import Notices
from console.widgets.palette import Command, Palette, find
from console.window import Window
from tests.console.conftest import Run
from tests.console.scripted_engine import ScriptedEngine
from tests.waiting import until


@pytest.fixture
def window(qapp: QApplication, tmp_path: Path) -> Iterator[Window]:
    apply_theme(qapp, "dark")
    window = Window("demo", QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat), remember=False)
    window.show()
    yield window
    window.leave()


def command(title: str, group: str = "View") -> Command:
    return Command(title, group, lambda: None)


def test_every_word_must_be_found_and_beginnings_come_first() -> None:
    commands = [command("Cancel all orders", "Trade"), command("Errors & Alerts"), command("AIG", "Chart")]
    assert [one.title for one in find(commands, "A")] == ["AIG", "Cancel all orders", "Errors & Alerts"]
    assert [one.title for one in find(commands, "orders trade")] == ["Cancel all orders"]
    assert find(commands, "orders chart") == []


def test_a_long_list_is_cut() -> None:
    assert len(find((command(str(number)) for number in range(500)), "")) == 50


def test_letters_arrows_and_return_run_a_command(run: Run, window: Window) -> None:
    engine = ScriptedEngine()

    async def main() -> None:
        desk = Desk(engine, window, 50)
        opener = window.findChild(QAbstractButton, "palette.open")
        assert isinstance(opener, QAbstractButton)
        opener.click()
        search = window.findChild(QLineEdit, "palette.search")
        assert isinstance(search, QLineEdit)
        QTest.keyClicks(search, "all")
        QTest.keyClick(search, Qt.Key.Key_Down)
        QTest.keyClick(search, Qt.Key.Key_Up)
        QTest.keyClick(search, Qt.Key.Key_Return)
        await until(lambda: engine.asked)
        await until(lambda: window.findChild(Palette) is None)
        await desk.close()

    run(main())
    assert engine.asked == [("cancel_all_orders",)]


def test_a_symbol_is_opened_in_its_chart(run: Run, window: Window) -> None:
    async def main() -> None:
        desk = Desk(ScriptedEngine(), window, 50)
        QTest.keyClick(window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
        search = await until(lambda: window.findChild(QLineEdit, "palette.search"))
        QTest.keyClicks(search, "btc")
        QTest.keyClick(search, Qt.Key.Key_Return)
        assert window.tabs.currentIndex() == 1
        heading = window.findChild(QLabel, "trading.symbol")
        assert isinstance(heading, QLabel)
        await until(lambda: heading.text() == "BTC/USD")
        await desk.close()

    run(main())


def test_nothing_found_runs_nothing(window: Window) -> None:
    palette = Palette(window, [command("Quit")])
    palette.open()
    QTest.keyClicks(palette.findChild(QLineEdit, "palette.search"), "xyz")
    QTest.keyClick(palette.findChild(QLineEdit, "palette.search"), Qt.Key.Key_Return)
    assert palette.isVisible()
    palette.close()


def test_notices_beside_each_other_are_all_tall_enough_for_their_text(qapp: QApplication) -> None:
    holder = QWidget()
    holder.resize(900, 600)
    holder.show()
    notices = Notices(holder)
    notices.show_notice("AAPL is on the watch list")
    notices.show_notice("The venue refused the order.", "Check the account at the venue. " * 5, "bad")
    qapp.processEvents()
    labels = notices.findChildren(QLabel)
    assert len(labels) == 3
    for one in labels:
        assert one.isVisible()
        assert one.height() >= one.heightForWidth(one.width())
    assert notices.geometry().bottom() < holder.height()
    holder.deleteLater()
