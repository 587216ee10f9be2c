"""Three books side by side, and what may be said of every row."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec

from engine.domain.orders import Fill, Side
from engine.domain.portfolio import Booking, BookingPart
from engine.portfolio.balance import Verdict, compare
from engine.storage.journal import open_journal
from engine.storage.quantities import JournalQuantities
from engine.storage.trail import Fact


def held(**quantities: int) -> dict[str, Decimal]:
    return {symbol: Decimal(quantity) for symbol, quantity in quantities.items()}


def test_every_symbol_that_a_book_names_has_a_row_that_says_how_it_stands() -> None:
    rows = compare(
        engine=held(SPY=5, IBM=2, GE=0, BAC=1), external=held(IBM=-2, T=3), journal=held(SPY=5, IBM=2, QQQ=1, BAC=1),
        broker=held(SPY=5, T=3),
    )  # fmt: skip
    assert {row.symbol: row.verdict for row in rows} == {
        "SPY": Verdict.EQUAL, "IBM": Verdict.OUTSIDE, "T": Verdict.OUTSIDE, "QQQ": Verdict.DIFFERS,
        "BAC": Verdict.DIFFERS,
    }  # fmt: skip
    assert {row.symbol: row.difference for row in rows}["IBM"] == -2


def fill(number: int, quantity: int, sleeve: str = "bot") -> Fill:
    return Fill(
        execution_id=f"e{number}", client_order_id="o", venue_order_id="v", symbol="SPY", side=Side.BUY,
        quantity=Decimal(quantity), price=Decimal(1), timestamp=number, sleeve=sleeve,
    )  # fmt: skip


async def test_the_journals_own_rows_are_summed_and_each_only_once(tmp_path: Path) -> None:
    journal, _ = open_journal(tmp_path / "orders.db")
    quantities = JournalQuantities(tmp_path / "orders.db", but="external", bookings="booking/")
    assert quantities.read() == {}
    await journal.append(fill(1, 5), fill(2, 7, sleeve="external"))
    assert quantities.read() == held(SPY=5)
    parts = (BookingPart(sleeve="external", quantity=Decimal(-7)), BookingPart(sleeve="bot", quantity=Decimal(7)))
    booking = Booking(booking_id="b", kind="TRANSFER", symbol="SPY", timestamp=3, parts=parts)
    await journal.append(Fact("booking/b", msgspec.json.encode(booking).decode()), Fact("other", "x"), fill(3, 1))
    assert quantities.read() == held(SPY=13)
    assert quantities.read() == held(SPY=13)
    await journal.close()
