"""Orders for the opening and the closing auction: when they are taken, what they fill at, what becomes of the rest."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal

import pytest

from engine.domain.market import NANOSECONDS, Quote, Trade
from engine.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from engine.exchange.desk import Desk
from engine.exchange.fills import AlpacaFill
from engine.exchange.prices.base import BarColumns
from engine.exchange.prices.events import TapeEvent, halt, resumption
from engine.exchange.records import OrderRecord
from engine.exchange.refusals import Refusal
from engine.exchange.sessions import AlwaysOpen, RealCalendar, Sessions, at_new_york
from engine.exchange.ticket import Ticket
from engine.exchange.trading_day import auction_of
from engine.exchange.venue import Venue

DAY = date(2025, 11, 24)
SECOND = NANOSECONDS


def at(clock: str, day: date = DAY) -> int:
    return at_new_york(day, time.fromisoformat(clock))


class Script:
    """A tape that is written by the test."""

    symbols = ("SPY",)
    end: int | None = None

    def __init__(self, start: int) -> None:
        self.tape_start = self.start = start
        self.events: list[TapeEvent] = []

    def step(self, until: int) -> list[TapeEvent]:
        due = [event for event in self.events if event.timestamp <= until]
        self.events = self.events[len(due) :]
        return due

    def minute_bars(self, symbol: str, start: int, end: int) -> BarColumns:
        return BarColumns.empty()

    def daily_bars(self, symbol: str) -> BarColumns:
        return BarColumns.empty()


class Stage:
    def __init__(self, start: str = "08:00", sessions: Sessions | None = None) -> None:
        self.tape = Script(at(start))
        self.venue = Venue(self.tape, sessions or RealCalendar(), model=AlpacaFill(partial_probability=0.0))
        self.desk: Desk = self.venue.desk("account", at(start))
        self.quote(start, 99.99, 100.01)

    def quote(self, clock: str, bid: float, ask: float) -> None:
        self.tape.events.append(Quote("SPY", bid, 100, ask, 100, at(clock)))

    def print(self, clock: str, price: float, *conditions: str) -> None:
        self.tape.events.append(Trade("SPY", price, 500_000, at(clock), "P", conditions, 1))

    def run(self, clock: str, day: date = DAY) -> None:
        self.venue.advance(at(clock, day))

    def order(self, tif: TimeInForce, side: Side = Side.BUY, limit: str = "", extended: bool = False) -> OrderRecord:
        asset = self.venue.catalogue.find("SPY")
        assert asset is not None
        ticket = Ticket(
            asset=asset,
            side=side,
            type=OrderType.LIMIT if limit else OrderType.MARKET,
            time_in_force=tif,
            quantity=Decimal(10),
            limit_price=Decimal(limit) if limit else None,
            extended_hours=extended,
        )
        return self.venue.submit(self.desk, ticket, self.venue.now)

    def now(self, record: OrderRecord) -> OrderRecord:
        return self.venue.order(self.desk, record.order_id)

    def status(self, record: OrderRecord) -> OrderStatus:
        return self.now(record).status


def test_an_opening_order_waits_through_the_morning_and_fills_at_the_auctions_price() -> None:
    stage = Stage()
    stage.run("08:30")
    market, cheap = stage.order(TimeInForce.OPG), stage.order(TimeInForce.OPG, limit="100.30")
    stage.print("09:30:01", 100.60, "@")
    stage.quote("09:30:02", 100.59, 100.61)
    stage.run("09:30:03")
    assert stage.status(market) is OrderStatus.ACCEPTED
    stage.print("09:30:04", 100.50, "O")
    stage.run("09:30:05")
    assert stage.status(market) is OrderStatus.FILLED
    assert stage.now(market).filled_value == Decimal("1005.0")
    assert stage.status(cheap) is OrderStatus.CANCELED, "its limit was below the auction's price"


def test_a_closing_order_fills_at_the_closing_print_that_comes_after_the_bell() -> None:
    stage = Stage("12:00")
    stage.run("15:00")
    order, day_order = stage.order(TimeInForce.CLS), stage.order(TimeInForce.DAY, limit="90")
    stage.run("16:00:01")
    assert stage.status(order) is OrderStatus.ACCEPTED
    assert stage.status(day_order) is OrderStatus.EXPIRED
    stage.print("16:00:05", 101.25, "6")
    stage.run("16:00:06")
    assert stage.status(order) is OrderStatus.FILLED
    assert stage.now(order).filled_value == Decimal("1012.5")


def test_an_auction_that_never_prints_trades_at_the_last_price() -> None:
    stage = Stage()
    stage.run("08:30")
    order = stage.order(TimeInForce.OPG)
    stage.print("09:31:00", 100.70, "@")
    stage.run("09:34:59")
    assert stage.status(order) is OrderStatus.ACCEPTED
    stage.run("09:35:01")
    assert stage.now(order).filled_value == Decimal("1007.0")


def test_without_any_price_an_auction_order_is_cancelled() -> None:
    stage = Stage()
    stage.tape.events.clear()
    stage.run("08:30")
    # A limit price makes the order acceptable where no price is known.
    order = stage.order(TimeInForce.OPG, limit="100")
    stage.run("09:40")
    assert stage.status(order) is OrderStatus.CANCELED


@pytest.mark.parametrize(
    ("tif", "clock", "taken"),
    [
        (TimeInForce.OPG, "09:27:59", True),
        (TimeInForce.OPG, "09:28:00", False),
        (TimeInForce.OPG, "12:00:00", False),
        (TimeInForce.OPG, "18:59:59", False),
        (TimeInForce.OPG, "19:00:00", True),
        (TimeInForce.CLS, "15:49:59", True),
        (TimeInForce.CLS, "15:50:00", False),
        (TimeInForce.CLS, "19:00:00", True),
    ],
)
def test_auction_orders_are_taken_in_their_hours_only(tif: TimeInForce, clock: str, taken: bool) -> None:
    stage = Stage()
    stage.run(clock)
    if taken:
        assert stage.status(stage.order(tif)) is OrderStatus.ACCEPTED
        return
    with pytest.raises(Refusal, match="must be submitted after 7:00pm"):
        stage.order(tif)
    assert not stage.desk.open


def test_an_order_of_the_evening_is_for_the_next_session_even_over_a_weekend() -> None:
    friday, monday = date(2025, 11, 21), DAY
    stage = Stage("12:00")
    stage.tape.start = stage.tape.tape_start = at("12:00", friday)
    stage.venue = Venue(stage.tape, RealCalendar(), model=AlpacaFill(partial_probability=0.0))
    stage.desk = stage.venue.desk("account", at("12:00", friday))
    stage.tape.events = [Quote("SPY", 99.99, 100, 100.01, 100, at("13:00", friday))]
    stage.run("19:30", friday)
    order = stage.order(TimeInForce.OPG)
    stage.run("09:29", monday)
    assert stage.status(order) is OrderStatus.ACCEPTED
    stage.print("09:30:02", 102.0, "O")
    stage.run("09:31", monday)
    assert stage.status(order) is OrderStatus.FILLED


def test_round_the_clock_auctions_are_at_midnight() -> None:
    stage = Stage("23:00", AlwaysOpen())
    stage.run("23:30")
    closing, opening = stage.order(TimeInForce.CLS), stage.order(TimeInForce.OPG)
    stage.print("23:59", 103.0, "@")
    stage.run("00:01", date(2025, 11, 25))
    assert stage.now(closing).filled_value == stage.now(opening).filled_value == Decimal("1030.0")


def test_extended_hours_begin_at_four_and_end_at_eight() -> None:
    stage = Stage("03:00")
    stage.run("03:30")
    early = stage.order(TimeInForce.DAY, limit="101", extended=True)
    plain = stage.order(TimeInForce.DAY, limit="101")
    stage.quote("03:45", 99, 100)
    stage.run("03:59")
    assert stage.status(early) is OrderStatus.ACCEPTED
    stage.quote("04:01", 99, 100)
    stage.run("04:02")
    assert (stage.status(early), stage.status(plain)) == (OrderStatus.FILLED, OrderStatus.ACCEPTED)
    stage.run("17:00")
    assert stage.status(plain) is OrderStatus.EXPIRED
    late = stage.order(TimeInForce.DAY, limit="90", extended=True)
    standing = stage.order(TimeInForce.GTC, limit="105")
    stage.quote("17:30", 99, 100)
    stage.run("19:59")
    assert (stage.status(late), stage.status(standing)) == (OrderStatus.NEW, OrderStatus.ACCEPTED)
    stage.run("20:01")
    assert (stage.status(late), stage.status(standing)) == (OrderStatus.EXPIRED, OrderStatus.ACCEPTED)


def test_a_half_day_ends_early() -> None:
    friday = date(2025, 11, 28)
    stage = Stage("12:00")
    stage.run("12:30", friday)
    order = stage.order(TimeInForce.DAY, limit="90")
    stage.run("12:59", friday)
    assert stage.status(order) is OrderStatus.NEW
    stage.run("13:01", friday)
    assert stage.status(order) is OrderStatus.EXPIRED


def test_nothing_fills_while_a_symbol_is_halted_and_cancels_get_through() -> None:
    stage = Stage("12:00")
    stage.tape.events.append(halt("SPY", at("12:10")))
    stage.quote("12:15", 99.0, 99.5)
    stage.run("12:20")
    market, limit = stage.order(TimeInForce.DAY), stage.order(TimeInForce.GTC, limit="101")
    stage.run("12:25")
    assert (stage.status(market), stage.status(limit)) == (OrderStatus.NEW, OrderStatus.NEW)
    stage.venue.cancel(stage.desk, limit.order_id, stage.venue.now)
    assert stage.status(limit) is OrderStatus.CANCELED
    stage.tape.events.append(resumption("SPY", at("12:30")))
    stage.quote("12:31", 98.0, 98.5)
    stage.run("12:32")
    assert stage.now(market).filled_value == Decimal("985.0")


@pytest.mark.parametrize(
    ("conditions", "kind"),
    [
        (("O",), TimeInForce.OPG),
        (("@", "6"), TimeInForce.CLS),
        (("40",), TimeInForce.OPG),
        (("20200080",), TimeInForce.CLS),
        (("1",), None),
        (("20000020",), None),
        (("@", "F"), None),
        ((), None),
    ],
)
def test_auction_prints_are_known_by_their_sale_condition(
    conditions: tuple[str, ...], kind: TimeInForce | None
) -> None:
    assert auction_of(Trade("SPY", 1.0, 1, 0, "P", conditions, 1)) is kind
