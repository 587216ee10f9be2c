"""From a snapshot and the journal's tail comes what the whole journal gives; what does not belong is not used."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import IdFactory, ManualClock
from engine.domain.orders import Fill, Side
from engine.domain.portfolio import Booking, BookingPart, CostBasis, Position
from engine.execution.book import OrderBook
from engine.execution.bookkeeping import PREFIX, Bookkeeper
from engine.portfolio.positions import Positions
from engine.portfolio.state import PortfolioState, decode, encode
from engine.storage.journal import open_journal

trades = st.tuples(
    st.sampled_from(["SPY", "AAPL"]), st.sampled_from(Side), st.integers(1, 9), st.integers(90, 110),
    st.sampled_from(["one", "two"]), st.booleans(),
)  # fmt: skip


def fills_and_facts(script: list[Any]) -> tuple[list[Fill], dict[str, str]]:
    """Every trade is a fill, and some are followed by a dividend or a fee in units."""
    fills, facts = [], {}
    for number, (symbol, side, quantity, price, sleeve, booked) in enumerate(script):
        fills.append(
            Fill(
                execution_id=f"e{number}", client_order_id="o", venue_order_id="v", symbol=symbol, side=side,
                quantity=Decimal(quantity), price=Decimal(price), timestamp=number, sleeve=sleeve,
            )
        )  # fmt: skip
        if booked:
            part = BookingPart(sleeve=sleeve, quantity=Decimal("-0.1") if number % 2 else Decimal(0), amount=Decimal(2))
            booking = Booking(
                booking_id=f"b{number}",
                kind="CFEE",
                symbol=symbol,
                timestamp=number,
                parts=(part,),
                after_fills=number + 1,
            )
            facts[f"{PREFIX}b{number}"] = msgspec.json.encode(booking).decode()
    return fills, facts


def life(
    path: Path, fills: list[Fill], facts: dict[str, str], basis: CostBasis, state: PortfolioState | None
) -> tuple[PortfolioState, str]:
    async def live() -> tuple[PortfolioState, str]:
        journal, _ = open_journal(path)
        clock = ManualClock(1)
        keeper = Bookkeeper(journal, facts, Positions(basis), OrderBook("demo"), clock, IdFactory(clock, seed=1))
        wrong = keeper.replay(fills, state)
        await journal.close()
        return keeper.state(), wrong

    return asyncio.run(live())


def sums(state: PortfolioState) -> tuple[list[Position], int, str]:
    return sorted(state.positions, key=lambda held: (held.symbol, held.sleeve)), state.fills, state.proof


@settings(max_examples=25, deadline=None)
@given(st.lists(trades, max_size=12), st.integers(0, 12), st.sampled_from(list(CostBasis)))
def test_a_snapshot_and_the_tail_are_the_whole(
    tmp_path_factory: pytest.TempPathFactory, script: list[Any], cut: int, basis: CostBasis
) -> None:
    path = tmp_path_factory.mktemp("journal") / "orders.db"
    fills, facts = fills_and_facts(script)
    early_fills, early_facts = fills_and_facts(script[:cut])
    snapshot, _ = life(path, early_fills, early_facts, basis, None)
    again = decode(encode(snapshot))
    assert again == snapshot
    whole, _ = life(path, fills, facts, basis, None)
    restored, wrong = life(path, fills, facts, basis, again)
    assert wrong == ""
    assert sums(restored) == sums(whole)
    assert sorted(restored.bookings) == sorted(whole.bookings)


def test_a_snapshot_of_another_journal_is_not_used(tmp_path: Path) -> None:
    script = [("SPY", Side.BUY, 5, 100, "one", True), ("SPY", Side.SELL, 2, 101, "one", False)]
    fills, facts = fills_and_facts(script)
    state, _ = life(tmp_path / "orders.db", fills, facts, CostBasis.AVERAGE, None)
    other = [msgspec.structs.replace(fills[0], execution_id="x"), fills[1]]
    for has, known, basis, said in (
        (fills[:1], facts, CostBasis.AVERAGE, "counts 2 fills"),
        (other, facts, CostBasis.AVERAGE, "not those of the journal"),
        (fills, {}, CostBasis.AVERAGE, "bookings that the journal does not have"),
        (fills, facts, CostBasis.FIFO, "cost basis average"),
    ):
        found, wrong = life(tmp_path / "orders.db", has, known, basis, state)
        assert said in wrong
        assert found == life(tmp_path / "orders.db", has, known, basis, None)[0], "never worse than the journal alone"


def test_what_is_no_state_is_none() -> None:
    assert decode(b"") is None
    assert decode(msgspec.msgpack.encode({"fills": 3})) is None
