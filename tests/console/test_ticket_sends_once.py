"""One wish is one order: clicks at human speed, held keys, refusals, real money, and positions closed twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QMessageBox, QPushButton, QWidget

from console.panels.trading import Trading
from console.tasks import Tasks
from engine.control import Placed, Verdict
from engine.domain.errors import OrderError
from engine.domain.orders import OrderRequest
from tests.console.conftest import Run
from tests.console.scripted_engine import ScriptedEngine
from tests.waiting import until

BETWEEN_CLICKS, BETWEEN_REPEATS, LATER = 0.12, 0.03, 1.0
"""Seconds: a hand, not a computer. Our exchange answers within a few milliseconds."""


class Clock:
    """The one by which two clicks are told apart; it moves when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def a_moment() -> None:
    """For whatever is under way: turns of the loop, not time."""
    for _ in range(20):
        await asyncio.sleep(0)


class Desk:
    """The Trading panel over a scripted engine."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.engine = ScriptedEngine()
        self.notices: list[tuple[str, str, str]] = []
        self.failures: list[str] = []
        self.tasks = Tasks(lambda name, message, remedy, detail: self.failures.append(message))
        self.panel = Trading(self.engine, self.tasks, lambda *said: self.notices.append(said))
        self.panel.show()
        self.panel.show_symbol("SPY")
        self.panel.refresh()
        self.panel.tick()

    @property
    def placed(self) -> list[OrderRequest]:
        return [asked[1] for asked in self.engine.asked if asked[0] == "place_order"]

    @property
    def closed(self) -> list[str]:
        return [asked[1] for asked in self.engine.asked if asked[0] == "close_position"]

    def find(self, name: str, kind: type[Any] = QPushButton) -> Any:
        found = self.panel.findChild(kind, name)
        assert found is not None, name
        return found

    def click(self, name: str) -> None:
        QTest.mouseClick(self.find(name), Qt.MouseButton.LeftButton)

    async def double_click(self, name: str) -> None:
        self.click(name)
        await a_moment()
        self.clock.now += BETWEEN_CLICKS
        self.click(name)
        await a_moment()


@pytest.fixture
def desk(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Desk]]:
    made: list[Desk] = []
    clock = Clock()
    monkeypatch.setattr("console.once.monotonic", clock)

    def make() -> Desk:
        made.append(Desk(clock))
        return made[-1]

    yield make


def test_a_double_click_of_a_hand_sends_one_order_and_a_later_click_another(run: Run, desk: Callable[[], Desk]) -> None:
    async def main() -> None:
        it = desk()
        await it.double_click("ticket.submit")
        assert len(it.placed) == 1
        it.clock.now += LATER
        await until(it.find("ticket.submit").isEnabled)
        it.click("ticket.submit")
        await until(lambda: len(it.placed) == 2)
        await it.tasks.close()

    run(main())


def test_a_held_return_key_sends_one_order(run: Run, desk: Callable[[], Desk]) -> None:
    async def main() -> None:
        it = desk()
        field = it.find("ticket.quantity", QLineEdit)
        for number in range(40):
            key = QKeyEvent(
                QEvent.Type.KeyPress, Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier, "\r", autorep=number > 0
            )
            QApplication.sendEvent(field, key)
            await a_moment()
            it.clock.now += BETWEEN_REPEATS
        assert len(it.placed) == 1
        await it.tasks.close()

    run(main())


def test_return_does_not_send_what_risk_refuses(run: Run, desk: Callable[[], Desk]) -> None:
    async def main() -> None:
        it = desk()
        it.engine.verdict = Verdict(allowed=False, message="Too much.", remedy="Trade less.")
        QTest.keyClick(it.find("ticket.quantity", QLineEdit), Qt.Key.Key_Return)
        await a_moment()
        assert it.placed == []
        assert "Too much. Trade less." in it.find("ticket.verdict", QWidget).text()
        await it.tasks.close()

    run(main())


def test_real_money_is_confirmed_with_its_price_and_cancel_sends_nothing(run: Run, desk: Callable[[], Desk]) -> None:
    async def main() -> None:
        it = desk()
        it.engine.views.summary.environment = "live"
        it.find("ticket.type", QComboBox).setCurrentText("limit")
        it.find("ticket.limit", QLineEdit).setText("99.50")
        for answer, expected in ((QMessageBox.StandardButton.Cancel, 0), (QMessageBox.StandardButton.Yes, 1)):
            it.clock.now += LATER
            await until(it.find("ticket.submit").isEnabled)
            it.click("ticket.submit")
            box = it.find("ticket.confirm", QMessageBox)
            assert "LIVE" in box.text()
            assert "limit 99.50" in box.informativeText()
            assert it.placed == [] or expected == 0
            box.button(answer).click()
            await until(lambda: not it.panel.findChildren(QMessageBox, "ticket.confirm"))
            await a_moment()
            assert len(it.placed) == expected
        await it.tasks.close()

    run(main())


@pytest.mark.parametrize("status", ["rejected", "blocked", "unresolved"])
def test_an_order_that_did_not_land_is_told_as_bad(run: Run, desk: Callable[[], Desk], status: str) -> None:
    async def main() -> None:
        it = desk()

        async def refuse(request: OrderRequest) -> Placed:
            return Placed(client_order_id="x", status=status, message="because")

        it.engine.place_order = refuse
        it.click("ticket.submit")
        await until(lambda: it.notices)
        assert it.notices == [(f"buy 1 SPY: {status}", "because", "bad")]
        await it.tasks.close()

    run(main())


def test_an_order_that_fails_is_told_and_the_ticket_can_be_used_again(run: Run, desk: Callable[[], Desk]) -> None:
    async def main() -> None:
        it = desk()

        async def fail(request: OrderRequest) -> Placed:
            raise OrderError("The journal cannot be written.", "Free some space.")

        it.engine.place_order = fail
        it.click("ticket.submit")
        await until(lambda: it.failures)
        assert it.failures == ["The journal cannot be written."]
        it.clock.now += LATER
        await until(it.find("ticket.submit").isEnabled)
        await it.tasks.close()

    run(main())


def test_a_price_that_is_clicked_becomes_a_limit_order_on_that_side(run: Run, desk: Callable[[], Desk]) -> None:
    async def main() -> None:
        it = desk()
        it.click("ticket.bid")
        it.click("ticket.submit")
        await until(lambda: it.placed)
        assert (it.placed[0].side, it.placed[0].type, str(it.placed[0].limit_price)) == ("sell", "limit", "99.99")
        await it.tasks.close()

    run(main())


def test_a_position_is_closed_once(run: Run, desk: Callable[[], Desk]) -> None:
    async def main() -> None:
        it = desk()
        table = it.panel._positions
        table.select_where(lambda row: True)
        it.panel.tick()
        await it.double_click("trading.close")
        assert it.closed == ["SPY|sma-cross"]
        await it.tasks.close()

    run(main())


def test_a_position_that_an_open_order_closes_is_not_closed_again(run: Run, desk: Callable[[], Desk]) -> None:
    async def main() -> None:
        it = desk()
        order = it.engine.views.orders.get("demo-manual-1")
        order.side, order.sleeve, order.quantity = "sell", "sma-cross", 10.0
        it.panel._positions.select_where(lambda row: True)
        it.panel.tick()
        it.click("trading.close")
        await a_moment()
        assert it.closed == []
        assert it.notices[0][0] == "SPY is being closed already"
        order.filled_quantity = 4.0
        it.click("trading.close")
        await until(lambda: it.closed)
        await it.tasks.close()

    run(main())


def test_only_open_orders_are_cancelled(run: Run, desk: Callable[[], Desk]) -> None:
    async def main() -> None:
        it = desk()
        it.find("trading.lists", QWidget).setCurrentIndex(1)
        it.panel._orders.table.select_where(lambda row: True)
        it.panel.tick()
        it.click("trading.cancel")
        await until(lambda: ("cancel_order", "demo-manual-1") in it.engine.asked)
        it.engine.asked.clear()
        it.engine.views.orders.get("demo-manual-1").is_open = False
        it.click("trading.cancel")
        await a_moment()
        assert it.engine.asked == []
        await it.tasks.close()

    run(main())
