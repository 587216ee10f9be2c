"""Whatever happens to an account, its cash and positions follow from its activities and from nothing else."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.orders import OrderType, Side, TimeInForce
from engine.exchange.accounts import START_CASH
from engine.exchange.activities import Entry, Execution
from engine.exchange.booking import Books
from engine.exchange.corporate import Calendar, CorporateAction, Kind
from engine.exchange.desk import open_desk
from engine.exchange.fees import Fees
from engine.exchange.groups import Groups
from engine.exchange.matching import MatchingEngine
from engine.exchange.orders import Update, UpdateKind
from engine.exchange.prices.synthetic import SyntheticPrices
from engine.exchange.records import OrderRecord
from engine.exchange.registrar import Registrar
from engine.exchange.sessions import new_york
from engine.exchange.tape import Tape

START = 1_763_700_000_000_000_000
MINUTE = 60_000_000_000
SOURCE = SyntheticPrices(("SPY", "BTC/USD"), 1, START, recent=0)
FEES = Fees(
    sec_rate=Decimal("0.0000278"), taf_rate=Decimal("0.000166"), taf_cap=Decimal("8.3"), crypto_rate=Decimal("0.0025")
)

fills = st.tuples(
    st.just("fill"),
    st.sampled_from(SOURCE.symbols),
    st.sampled_from(list(Side)),
    st.decimals("0.000000001", "5000", places=9) | st.integers(1, 500).map(Decimal),
    st.integers(100, 90_000),
)
splits = st.tuples(st.just("split"), st.integers(1, 9), st.integers(1, 9), st.booleans())
dividends = st.tuples(st.just("dividend"), st.integers(1, 500))
steps = st.lists(fills | splits | dividends | st.just(("day",)), max_size=30)


class Back:
    """The back office of one account."""

    def __init__(self) -> None:
        engine = MatchingEngine()
        self.books = Books(engine.get, fees=FEES)
        self.desk = self.books.desks["account"] = open_desk("account", START)
        groups = Groups(engine, self.books, lambda updates: None)
        self.registrar = Registrar(Calendar(), self.books, groups, engine, Tape(SOURCE))
        self.now = START

    def act(self, kind: str, *fields: Any) -> None:
        self.now += MINUTE
        match kind:
            case "fill":
                self._fill(*fields)
            case "day":
                self.books.close_day(self.now, lambda _: Decimal(100))
            case "split":
                new, old, in_lieu = fields
                if new != old:
                    way = Kind.FORWARD_SPLIT if new > old else Kind.REVERSE_SPLIT
                    self._announce(way, new_rate=Decimal(new), old_rate=Decimal(old), cash_in_lieu=in_lieu)
            case _:
                self._announce(Kind.CASH_DIVIDEND, cash=Decimal(fields[0]) / 100)

    def _fill(self, symbol: str, side: Side, quantity: Decimal, cents: int) -> None:
        name = f"o{self.now}"
        order = OrderRecord(
            order_id=name,
            account_id="account",
            client_order_id=name,
            asset_id=symbol,
            symbol=symbol,
            side=side,
            type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            quantity=quantity,
            created_at=self.now,
            updated_at=self.now,
        )
        self.books.add(self.desk, order)
        told = Update(
            kind=UpdateKind.FILL,
            order=order.to_book(),
            timestamp=self.now,
            filled_quantity=quantity,
            quantity=quantity,
            price=Decimal(cents) / 100,
            execution_id=f"e{self.now}",
        )
        self.books.book(told)

    def _announce(self, kind: Kind, **fields: Any) -> None:
        today = new_york(self.now).date()
        dates = {"declared": today, "ex_date": today, "payable_date": today}
        self.registrar.announce(CorporateAction(action_id=f"a{self.now}", kind=kind, symbol="SPY", **dates, **fields))
        self.registrar.act(self.now)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_cash_and_positions_follow_from_fills_fees_splits_and_dividends(script: list[tuple[Any, ...]]) -> None:
    back = Back()
    for step in script:
        back.act(*step)
    cash, held = START_CASH, defaultdict[str, Decimal](Decimal)
    activities = list(back.desk.account.activities)
    for activity in activities:
        match activity:
            case Execution():
                signed = activity.quantity * activity.side.sign
                cash -= signed * activity.price
                held[activity.symbol] += signed
            case Entry():
                cash += activity.amount
                held[activity.symbol] += activity.quantity
    account = back.desk.account
    assert account.cash == cash
    assert {symbol: found.quantity for symbol, found in account.holdings.items()} == {
        symbol: quantity for symbol, quantity in held.items() if quantity
    }
    assert len({activity.activity_id for activity in activities}) == len(activities)
    assert [activity.number for activity in activities] == list(range(1, len(activities) + 1))
    assert all(found.average_price >= 0 for found in account.holdings.values())
    assert sum(account.accrued.values()) >= 0
