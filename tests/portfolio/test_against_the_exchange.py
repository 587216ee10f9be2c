"""Whatever is traded, charged, split or paid, our positions and profits are the exchange's own, to the cent.

The real Venue is driven with random orders; what it books goes through the wire format to our positions.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.broker import wire
from engine.domain.market import NANOSECONDS, Quote, Trade
from engine.domain.orders import Fill
from engine.domain.portfolio import Booking, CostBasis
from engine.exchange import wire_account
from engine.exchange.accounts import START_CASH
from engine.exchange.activities import Execution
from engine.exchange.corporate import Calendar, CorporateAction, Kind
from engine.exchange.fees import Fees
from engine.exchange.fills import AlpacaFill
from engine.exchange.house import House
from engine.exchange.prices.base import BarColumns
from engine.exchange.prices.events import TapeEvent
from engine.exchange.refusals import Refusal
from engine.exchange.sessions import AlwaysOpen, at_new_york
from engine.exchange.ticket import read_order
from engine.exchange.venue import Venue
from engine.portfolio.bookings import KINDS, parts_of
from engine.portfolio.positions import EXTERNAL_SLEEVE, Positions

TUESDAY = date(2026, 11, 17)
MIDNIGHT = at_new_york(TUESDAY, datetime.min.time())
START = MIDNIGHT - 12 * NANOSECONDS
CENT = Decimal("0.01")
LEVELS = {"SPY": 60_000, "IBM": 30_000, "BTC/USD": 9_000_000}
FEES = Fees(
    sec_rate=Decimal("0.0000278"), taf_rate=Decimal("0.000166"), taf_cap=Decimal("8.30"), crypto_rate=Decimal("0.0025")
)


class Tape:
    """A quote and a print of each symbol every second, where the script says."""

    symbols = tuple(LEVELS)
    end: int | None = None

    def __init__(self, moves: list[int]) -> None:
        self.tape_start = self.start = START
        self._moves = moves
        self._next = START
        self._number = 0

    def step(self, until: int) -> list[TapeEvent]:
        events: list[TapeEvent] = []
        while self._next <= until:
            move = self._moves[self._number % len(self._moves)]
            self._number += 1
            for symbol, level in LEVELS.items():
                bid = round(level * (1 + move / 1000)) / 100
                events.append(Quote(symbol, bid, 900, round(bid + 0.02, 2), 900, self._next))
                events.append(Trade(symbol, bid, 100, self._next, "V", ("@",), self._number))
            self._next += NANOSECONDS
        return events

    def minute_bars(self, symbol: str, start: int, end: int) -> BarColumns:
        return BarColumns.empty()

    def daily_bars(self, symbol: str) -> BarColumns:
        return BarColumns.empty()


def action(kind: Kind, symbol: str, **fields: Any) -> CorporateAction:
    return CorporateAction(
        action_id=f"{kind}-{symbol}", kind=kind, symbol=symbol, declared=TUESDAY, ex_date=TUESDAY,
        payable_date=TUESDAY, **fields,
    )  # fmt: skip


def actions(kind: str) -> Calendar:
    """On IBM's day; the others go on as they are."""
    three_for_two = {"new_rate": Decimal(3), "old_rate": Decimal(2)}
    one_for_seven = {"old_rate": Decimal(7), "cash_in_lieu": True}
    found = {
        "none": [],
        "split": [action(Kind.FORWARD_SPLIT, "IBM", **three_for_two)],
        "reverse": [action(Kind.REVERSE_SPLIT, "IBM", **one_for_seven)],
        "dividend": [action(Kind.CASH_DIVIDEND, "IBM", cash=Decimal("0.83"))],
    }
    return Calendar(found[kind])


class Books:
    """The venue, and beside it what we make of its activities."""

    def __init__(self, moves: list[int], corporate: str, basis: CostBasis, fees: Fees = FEES) -> None:
        self.venue = Venue(
            Tape(moves), AlwaysOpen(), seed=1, model=AlpacaFill(partial_probability=0.3), house=House(fees=fees),
            actions=actions(corporate),
        )  # fmt: skip
        self.desk = self.venue.desk("account", START)
        self.positions = Positions(basis)
        self.sleeves: dict[str, str] = {}
        self._seen = 0
        self.advance()

    def order(self, symbol: str, side: str, quantity: Decimal, sleeve: str, limit: int | None) -> None:
        body: dict[str, Any] = {
            "symbol": symbol, "qty": str(quantity), "side": side, "type": "market" if limit is None else "limit",
            "time_in_force": "gtc" if "/" in symbol else "day",
        }  # fmt: skip
        if limit is not None:
            body["limit_price"] = str(Decimal(round(LEVELS[symbol] * (1 + limit / 1000))) / 100)
        try:
            record = self.venue.submit(self.desk, read_order(body, self.venue.catalogue), self.venue.now)
        except Refusal:
            return
        self.sleeves[record.order_id] = sleeve

    def advance(self) -> None:
        self.venue.advance(self.venue.now + NANOSECONDS)
        self.hear()

    def close(self) -> None:
        self.venue.books.close_day(self.venue.now, self.venue.price_of)
        self.hear()
        for symbol in LEVELS:
            self.positions.mark(symbol, self.venue.price_of(symbol))

    def hear(self) -> None:
        activities = list(self.desk.account.activities)
        for activity in activities[self._seen :]:
            fields = wire_account.activity(activity)
            if isinstance(activity, Execution):
                self._fill(fields)
            else:
                self._book(fields)
        self._seen = len(activities)

    def _fill(self, fields: dict[str, Any]) -> None:
        said = wire.fill_activity(fields)
        symbol = next(name for name in LEVELS if name.replace("/", "") == said.symbol.replace("/", ""))
        self.positions.apply(
            Fill(
                execution_id=said.execution_id, client_order_id="", venue_order_id=said.venue_order_id, symbol=symbol,
                side=said.side, quantity=said.quantity, price=said.price, timestamp=said.timestamp,
                sleeve=self.sleeves[said.venue_order_id],
            )
        )  # fmt: skip

    def _book(self, fields: dict[str, Any]) -> None:
        said = wire.booking(fields)
        assert said.kind in KINDS
        parts = parts_of(
            said, self.sleeves.get(said.venue_order_id, ""), self.positions.of(said.symbol), EXTERNAL_SLEEVE
        )
        self.positions.book(
            Booking(
                booking_id=said.activity_id, kind=said.kind, symbol=said.symbol, timestamp=said.timestamp, parts=parts
            )
        )

    @property
    def worth(self) -> Decimal:
        profit = sum((held.realised + held.unrealised for held in self.positions), Decimal(0))
        return START_CASH + profit + self.positions.unassigned


steps = st.tuples(
    st.sampled_from(["IBM", "IBM", "SPY", "BTC/USD"]),
    st.sampled_from(["buy", "sell"]),
    st.sampled_from([Decimal(1), Decimal(7), Decimal(30), Decimal("0.5"), Decimal("0.037")]),
    st.sampled_from(["one", "two"]),
    st.sampled_from([None, None, -10, 0, 10]),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(steps, min_size=6, max_size=24),
    st.lists(st.integers(-20, 20), min_size=1, max_size=10),
    st.sampled_from(["none", "split", "reverse", "dividend"]),
    st.sampled_from(list(CostBasis)),
)
def test_quantities_and_profit_are_the_exchanges_to_the_cent(
    script: list[Any], moves: list[int], corporate: str, basis: CostBasis
) -> None:
    books = Books(moves, corporate, basis)
    for step in script:
        books.order(*step)
        books.advance()
    for _ in range(14):
        books.advance()
    books.close()
    account = books.desk.account
    for symbol in LEVELS:
        assert books.positions.net(symbol) == account.quantity(symbol), symbol
        assert sum(held.quantity for held in books.positions.of(symbol)) == account.quantity(symbol)
    assert abs(books.worth - account.equity(books.venue.price_of)) < CENT


@settings(max_examples=30, deadline=None)
@given(
    st.lists(steps, min_size=6, max_size=24),
    st.lists(st.integers(-20, 20), min_size=1, max_size=10),
    st.sampled_from(["none", "split", "dividend"]),
)
def test_one_sleeve_has_the_average_price_that_the_exchange_shows(
    script: list[Any], moves: list[int], corporate: str
) -> None:
    books = Books(moves, corporate, CostBasis.AVERAGE)
    for symbol, side, quantity, _, limit in script:
        books.order(symbol, side, quantity, "one", limit)
        books.advance()
    books.close()
    for symbol, holding in books.desk.account.holdings.items():
        assert abs(books.positions.get(symbol, "one").average_price - holding.average_price) < Decimal("0.0000001")


@pytest.mark.parametrize("basis", list(CostBasis))
def test_a_fee_in_coins_leaves_less_than_was_filled_and_is_a_cost(basis: CostBasis) -> None:
    books = Books([0], "none", basis)
    books.order("BTC/USD", "buy", Decimal("0.1"), "one", None)
    books.advance()
    books.close()
    held = books.positions.get("BTC/USD", "one")
    assert held.quantity == Decimal("0.09975")
    assert held.realised == -held.fees == -Decimal("0.00025") * held.average_price
    assert held.fees > 0


def test_a_dividend_is_divided_among_the_sleeves_that_hold() -> None:
    books = Books([0], "dividend", CostBasis.AVERAGE)
    books.order("IBM", "buy", Decimal(20), "one", None)
    books.order("IBM", "buy", Decimal(10), "two", None)
    for _ in range(20):
        books.advance()
    books.close()
    assert books.positions.get("IBM", "one").dividends == Decimal("16.60")
    assert books.positions.get("IBM", "two").dividends == Decimal("8.30")
