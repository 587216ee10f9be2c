"""The ticket places every kind of order that Alpaca takes: what is written in it is what is sent."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from PySide6.QtWidgets import QComboBox, QLineEdit, QPushButton

from engine.domain.orders import OrderType, Side, TimeInForce
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


@pytest.mark.parametrize(
    ("trail", "dollars", "percent"), [("0.50", Decimal("0.50"), None), ("1.5 %", None, Decimal("1.5"))]
)
def test_a_trailing_stop_follows_by_dollars_or_per_cent(
    run: Run, desk: Callable[[], Desk], trail: str, dollars: Decimal | None, percent: Decimal | None
) -> None:
    async def main() -> None:
        ticket = desk()
        fill_in(ticket, "trailing stop")
        assert not ticket.find("ticket.submit", QPushButton).isEnabled()
        fill_in(ticket, "trailing stop", stop=trail)
        ticket.click("ticket.sell")
        ticket.click("ticket.submit")
        await until(lambda: ticket.placed)
        [sent] = ticket.placed
        assert (sent.type, sent.side, sent.stop_price) == (OrderType.TRAILING_STOP, Side.SELL, None)
        assert (sent.trail_price, sent.trail_percent) == (dollars, percent)

    run(main())


def test_two_exits_of_what_is_held_cancel_one_another(run: Run, desk: Callable[[], Desk]) -> None:
    async def main() -> None:
        ticket = desk()
        fill_in(ticket, "exits (OCO)", take_profit="110")
        assert not ticket.find("ticket.submit", QPushButton).isEnabled(), "both are needed"
        fill_in(ticket, "exits (OCO)", stop_loss="95")
        ticket.click("ticket.sell")
        ticket.click("ticket.submit")
        await until(lambda: ticket.placed)
        [sent] = ticket.placed
        assert sent.one_cancels_other
        assert (sent.type, sent.limit_price, sent.take_profit, sent.stop_loss) == (OrderType.LIMIT, 110, None, 95)

    run(main())


@pytest.mark.parametrize(
    ("choice", "force", "extended"),
    [
        ("day + extended", TimeInForce.DAY, True),
        ("at the close", TimeInForce.CLS, False),
        ("fok", TimeInForce.FOK, False),
    ],
)
def test_an_order_is_for_the_hours_that_were_chosen(
    run: Run, desk: Callable[[], Desk], choice: str, force: TimeInForce, extended: bool
) -> None:
    async def main() -> None:
        ticket = desk()
        fill_in(ticket, "limit", limit="100")
        ticket.find("ticket.tif", QComboBox).setCurrentText(choice)
        ticket.click("ticket.submit")
        await until(lambda: ticket.placed)
        [sent] = ticket.placed
        assert (sent.time_in_force, sent.extended_hours) == (force, extended)

    run(main())


def test_what_was_typed_for_another_kind_of_order_is_not_sent(run: Run, desk: Callable[[], Desk]) -> None:
    async def main() -> None:
        ticket = desk()
        fill_in(ticket, "stop limit", limit="100", stop="101")
        fill_in(ticket, "market")
        ticket.click("ticket.submit")
        await until(lambda: ticket.placed)
        [sent] = ticket.placed
        assert (sent.type, sent.limit_price, sent.stop_price) == (OrderType.MARKET, None, None)

    run(main())
