"""Brackets, one-triggers-other and one-cancels-other orders, on a market that the test moves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderClass, OrderSide, TimeInForce
from alpaca.trading.requests import (
    GetOrdersRequest,
    LimitOrderRequest,
    ReplaceOrderRequest,
    StopLossRequest,
    TakeProfitRequest,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.market import NANOSECONDS, Quote, Trade
from engine.exchange.desk import Desk
from engine.exchange.fills import AlpacaFill
from engine.exchange.numbers import read_object
from engine.exchange.prices.base import BarColumns
from engine.exchange.prices.events import TapeEvent, halt
from engine.exchange.records import OrderRecord
from engine.exchange.refusals import Refusal
from engine.exchange.sessions import AlwaysOpen
from engine.exchange.ticket import read_order
from engine.exchange.venue import Venue
from tests.exchange.conftest import call

START = 1_700_000_000 * NANOSECONDS


class Scripted:
    """A market of one stock that goes where it is told."""

    symbols: tuple[str, ...] = ("SPY",)
    tape_start = start = START
    end: int | None = None

    def __init__(self) -> None:
        self.coming: list[TapeEvent] = []

    def step(self, until: int) -> list[TapeEvent]:
        events, self.coming = self.coming, []
        return events

    def halt(self, symbol: str, at: int, seconds: float) -> None:
        self.coming.append(halt(symbol, at))

    def minute_bars(self, symbol: str, start: int, end: int) -> BarColumns:
        return BarColumns.empty()

    def daily_bars(self, symbol: str) -> BarColumns:
        return BarColumns.empty()


class Market:
    def __init__(self, partial_fills: float = 0.0, seed: int = 0) -> None:
        self._source = Scripted()
        self.venue = Venue(self._source, AlwaysOpen(), seed=seed, model=AlpacaFill(partial_probability=partial_fills))
        self.desk: Desk = self.venue.desk("account", START)
        self.to(100)

    def to(self, price: float) -> None:
        now = self.venue.now + NANOSECONDS
        quote = Quote("SPY", round(price - 0.01, 2), 100, round(price + 0.01, 2), 100, now)
        self._source.coming = [quote, Trade("SPY", price, 100, now, "V")]
        self.venue.advance(now)

    def send(self, **fields: Any) -> OrderRecord:
        order = {"symbol": "SPY", "qty": "10", "side": "buy", "type": "market", "time_in_force": "gtc"} | fields
        body = read_object(repr(order).replace("'", '"').encode())
        sent = self.venue.submit(self.desk, read_order(body, self.venue.catalogue), self.venue.now)
        return self.venue.order(self.desk, sent.order_id)

    def bracket(self, **fields: Any) -> tuple[OrderRecord, OrderRecord, OrderRecord]:
        exits = {"take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "95"}}
        entry = self.send(order_class="bracket", **exits, **fields)
        profit, loss = self.desk.legs(entry)
        return entry, profit, loss

    @property
    def position(self) -> Decimal:
        return self.desk.account.quantity("SPY")


def states(*records: OrderRecord) -> list[str]:
    return [record.status.value for record in records]


def test_the_exits_of_a_bracket_wait_for_its_entry() -> None:
    market = Market()
    orders = market.bracket(type="limit", limit_price="99")
    assert states(*orders) == ["new", "held", "held"]
    market.to(98.9)
    assert states(*orders) == ["filled", "new", "new"]
    assert [order.side.value for order in orders] == ["buy", "sell", "sell"]


@pytest.mark.parametrize(("price", "ends"), [(111, ["filled", "canceled"]), (94, ["canceled", "filled"])])
def test_one_exit_fills_and_the_other_is_cancelled(price: float, ends: list[str]) -> None:
    market = Market()
    _, profit, loss = market.bracket()
    assert market.position == 10
    market.to(price)
    assert states(profit, loss) == ends
    assert market.position == 0
    assert not market.desk.open
    assert market.desk.account.held_value == 0
    market.to(94)
    market.to(111)
    assert market.position == 0


def test_one_exit_holds_the_quantity_for_both() -> None:
    market = Market()
    market.bracket()
    assert market.desk.account.held_quantity("SPY") == 10
    with pytest.raises(Refusal, match="insufficient qty"):
        market.send(side="sell", qty="1", type="limit", limit_price="120")


@pytest.mark.parametrize("which", [0, 1, 2])
def test_to_cancel_one_order_of_a_waiting_bracket_cancels_all(which: int) -> None:
    market = Market()
    orders = market.bracket(type="limit", limit_price="99")
    market.venue.cancel(market.desk, orders[which].order_id, market.venue.now)
    assert states(*orders) == ["canceled"] * 3
    assert not market.desk.open


def test_to_cancel_everything_cancels_each_order_once() -> None:
    market = Market()
    market.bracket(type="limit", limit_price="99")
    market.venue.books.take_changes()
    assert len(market.venue.cancel_all(market.desk, market.venue.now)) == 3
    notices = market.venue.books.take_changes().notices
    assert [notice.update.kind.value for notice in notices] == ["canceled"] * 3


def test_an_entry_triggers_its_only_exit() -> None:
    market = Market()
    entry = market.send(order_class="oto", stop_loss={"stop_price": "95", "limit_price": "90"})
    (loss,) = market.desk.legs(entry)
    assert states(entry, loss) == ["filled", "new"]
    market.to(94.5)
    assert states(loss) == ["filled"]
    assert market.position == 0


@pytest.mark.parametrize(("price", "ends"), [(111, ["filled", "canceled"]), (94, ["canceled", "filled"])])
def test_one_of_two_exits_of_a_position_cancels_the_other(price: float, ends: list[str]) -> None:
    market = Market()
    market.send()
    exits = {"take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "95"}}
    profit = market.send(order_class="oco", side="sell", type="limit", **exits)
    (loss,) = market.desk.legs(profit)
    assert states(profit, loss) == ["new", "new"]
    market.to(price)
    assert states(profit, loss) == ends
    assert market.position == 0


def test_a_replaced_entry_takes_its_exits_along() -> None:
    market = Market()
    entry, profit, loss = market.bracket(type="limit", limit_price="99")
    changed: dict[str, object] = {"limit_price": Decimal("99.5"), "quantity": Decimal(4)}
    new = market.venue.replace(market.desk, entry.order_id, changed, market.venue.now)
    assert (profit.quantity, loss.quantity, profit.parent_id) == (Decimal(4), Decimal(4), new.order_id)
    market.to(99.4)
    market.to(111)
    assert states(profit, loss) == ["filled", "canceled"]
    assert market.position == 0


def test_a_replaced_exit_stays_in_its_group() -> None:
    market = Market()
    _, profit, loss = market.bracket()
    sent = market.venue.replace(market.desk, loss.order_id, {"stop_price": Decimal(98)}, market.venue.now)
    stop = market.venue.order(market.desk, sent.order_id)
    market.to(97)
    assert states(profit, loss, stop) == ["canceled", "replaced", "filled"]
    assert market.position == 0


BAD = [
    ({"order_class": "bracket", "take_profit": {"limit_price": "110"}}, "require"),
    (
        {"order_class": "bracket", "take_profit": {"limit_price": "99"}, "stop_loss": {"stop_price": "95"}},
        "take_profit",
    ),
    (
        {"order_class": "bracket", "take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "101"}},
        "stop_loss",
    ),
    ({"order_class": "oto"}, "oto orders require"),
    ({"order_class": "oto", "take_profit": []}, "must be an object"),
    ({"order_class": "mleg"}, "order_class"),
    ({"take_profit": {"limit_price": "110"}}, "simple orders"),
    ({"order_class": "oto", "stop_loss": {"stop_price": "95"}, "time_in_force": "ioc"}, "DAY or GTC"),
    ({"order_class": "oto", "stop_loss": {"stop_price": "95"}, "qty": "1.5"}, "fractional"),
    ({"order_class": "oto", "stop_loss": {"stop_price": "-1"}}, "must be > 0"),
]


@pytest.mark.parametrize(("fields", "message"), BAD)
def test_a_group_that_makes_no_sense_is_refused(fields: dict[str, Any], message: str) -> None:
    market = Market()
    with pytest.raises(Refusal, match=message):
        market.send(**fields)
    assert len(market.desk) == 0


@settings(max_examples=60, deadline=None)
@given(prices=st.lists(st.integers(min_value=9_000, max_value=11_500), min_size=1, max_size=40), seed=st.integers(0, 9))
def test_whatever_the_market_does_a_bracket_ends_flat_or_stands(prices: list[int], seed: int) -> None:
    market = Market(partial_fills=0.7, seed=seed)
    entry, profit, loss = market.bracket()
    for price in prices:
        market.to(price / 100)
        sold = profit.filled_quantity + loss.filled_quantity
        assert market.position == entry.filled_quantity - sold
        assert 0 <= sold <= 10
        if profit.is_open and loss.is_open and entry.filled_quantity == 10:
            assert profit.remaining == loss.remaining == market.position
            assert market.desk.account.held_quantity("SPY") == market.position
    assert "filled" not in states(profit) or "filled" not in states(loss)


async def test_alpaca_py_sends_and_reads_brackets(trading: TradingClient) -> None:
    order = LimitOrderRequest(
        symbol="SPY",
        qty=2,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.GTC,
        limit_price=10,
        order_class=OrderClass.BRACKET,
        take_profit=TakeProfitRequest(limit_price=20),
        stop_loss=StopLossRequest(stop_price=5, limit_price=4.5),
    )
    sent = await call(trading.submit_order, order)
    assert [leg.status.value for leg in sent.legs] == ["held", "held"]
    replaced = await call(trading.replace_order_by_id, sent.id, ReplaceOrderRequest(limit_price=11))
    (nested,) = await call(trading.get_orders, GetOrdersRequest(nested=True))
    assert (nested.id, len(nested.legs)) == (replaced.id, 2)
    assert len(await call(trading.get_orders)) == 3
    await call(trading.cancel_order_by_id, replaced.id)
    assert await call(trading.get_orders) == []
