"""The ticket places entries with their exits, and stops: what is written in it is what is sent."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from PySide6.QtWidgets import QComboBox, QLineEdit, QPushButton

from engine.domain.orders import OrderType
from tests.console.conftest import Run
from tests.console.test_ticket_sends_once import Desk, desk
from tests.waiting import until

__all__ = ["desk"]


def fill_in(desk: Desk, kind: str, **fields: str) -> None:
    desk.find("ticket.type", QComboBox).setCurrentText(kind)
    for name, text in fields.items():
        desk.find(f"ticket.{name}", QLineEdit).setText(text)


def test_a_limit_order_takes_its_exits_along(run: Run, desk: Callable[[], Desk]) -> None:
    async def main() -> None:
        ticket = desk()
        fill_in(ticket, "limit", quantity="5", limit="100", take_profit="110", stop_loss="95.5")
        ticket.click("ticket.submit")
        await until(lambda: ticket.placed)
        [sent] = ticket.placed
        assert (sent.limit_price, sent.take_profit, sent.stop_loss) == (100, 110, Decimal("95.5"))

    run(main())


def test_a_stop_order_needs_its_stop(run: Run, desk: Callable[[], Desk]) -> None:
    async def main() -> None:
        ticket = desk()
        fill_in(ticket, "stop")
        assert not ticket.find("ticket.submit", QPushButton).isEnabled()
        assert not ticket.find("ticket.limit", QLineEdit).isEnabled()
        fill_in(ticket, "stop", stop="120")
        ticket.click("ticket.submit")
        await until(lambda: ticket.placed)
        [sent] = ticket.placed
        assert (sent.type, sent.stop_price, sent.limit_price) == (OrderType.STOP, 120, None)

    run(main())


def test_an_exit_that_is_no_number_is_not_sent(run: Run, desk: Callable[[], Desk]) -> None:
    async def main() -> None:
        ticket = desk()
        fill_in(ticket, "market", take_profit="a lot")
        assert not ticket.find("ticket.submit", QPushButton).isEnabled()

    run(main())
