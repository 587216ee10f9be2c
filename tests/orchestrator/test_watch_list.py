"""The watch list: the person's order, a row for what has no price yet, and what may not leave it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.domain.errors import DataError
from engine.orchestrator.market import MarketMemory
from engine.orchestrator.needed_symbols import refuse_if_needed
from engine.orchestrator.watch_list import WatchList
from engine.streams.messages import Quotes, QuoteState
from engine.tables import Table
from engine.views import BotRow, OrderRow, PositionRow, QuoteRow, Views


def priced(symbol: str) -> QuoteState:
    return QuoteState(symbol, 10.0, 9.9, 10.1, 1.0, 1.0, 9.5, 100.0, 1)


def test_rows_stand_in_the_order_of_the_list_whichever_price_comes_first() -> None:
    rows: Table[QuoteRow] = Table()
    market = MarketMemory(rows, SystemClock())
    market.expect(["SPY", "QQQ", "AAPL"])
    market.take(Quotes([priced("AAPL"), priced("SPY")]))
    market.expect(["IBM", "SPY"])
    assert [(row.symbol, row.last) for row in rows] == [("SPY", 10.0), ("QQQ", 0.0), ("AAPL", 10.0), ("IBM", 0.0)]


def test_an_empty_row_is_no_quote_to_trade_by() -> None:
    market = MarketMemory(Table(), SystemClock())
    market.expect(["SPY"])
    assert market.quote("SPY") is None
    assert market.quote_age("SPY") == float("inf")
    market.take(Quotes([priced("SPY")]))
    quote = market.quote("SPY")
    assert quote is not None
    assert quote.bid == 9.9
    market.forget("SPY")
    assert market.quote("SPY") is None
    assert market.quote_age("SPY") == float("inf")


async def test_what_a_person_changed_is_there_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "watch_list.json"
    one = WatchList(path, ["SPY", "QQQ", "IBM"], needed=())
    for symbol in ("NVDA", "TSLA", "SPY", "NVDA"):
        await one.add(symbol)
    for symbol in ("QQQ", "TSLA"):
        await one.remove(symbol)
    assert one.symbols == WatchList(path, ["SPY", "QQQ", "IBM"], needed=()).symbols == ["SPY", "IBM", "NVDA"]
    later = WatchList(path, ["AIG", "SPY", "QQQ"], needed=["QQQ"])
    assert later.symbols == ["AIG", "SPY", "QQQ", "NVDA"]
    await later.add("IBM")
    assert WatchList(path, ["IBM"], needed=()).symbols == ["IBM", "NVDA"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"added": [1]}', b"\xff\xfe"])
async def test_a_list_that_cannot_be_read_is_the_configurations_and_is_written_anew(
    content: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "watch_list.json"
    path.write_bytes(content)
    found = WatchList(path, ["SPY"], needed=())
    assert found.symbols == ["SPY"]
    assert str(path) in caplog.text
    await found.add("IBM")
    assert WatchList(path, ["SPY"], needed=()).symbols == ["SPY", "IBM"]


async def test_what_the_disk_refuses_holds_for_now_and_is_said(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "watch_list.json"
    found = WatchList(path, ["SPY"], needed=())
    with pytest.raises(DataError, match="for now only") as refusal:
        await found.add("IBM")
    assert "IBM" in refusal.value.remedy
    assert found.symbols == ["SPY", "IBM"]
    path.parent.mkdir()
    await found.add("IBM")
    assert WatchList(path, ["SPY"], needed=()).symbols == ["SPY", "IBM"]


async def test_changes_at_once_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "watch_list.json"
    found, names = WatchList(path, [], needed=()), [f"S{n}" for n in range(20)]
    await asyncio.gather(*(found.add(name) for name in names))
    assert WatchList(path, [], needed=()).symbols == names


def traded_by_a_bot() -> Views:
    views = Views()
    views.bots.put("trend", BotRow(
        name="trend", strategy="sma-cross", symbols="QQQ, SPY", timeframe="1m", state="STOPPED", sleeve="trend",
        capital=1_000.0,
    ))  # fmt: skip
    return views


def held() -> Views:
    views = Views()
    views.positions.put("SPY|bot", PositionRow(
        key="SPY|bot", symbol="SPY", sleeve="bot", quantity=1.0, average_price=1.0, last_price=1.0, market_value=1.0,
        unrealised=0.0, realised=0.0, weight=0.1,
    ))  # fmt: skip
    return views


def asked_for(is_open: bool) -> Views:
    views = Views()
    views.orders.put("one", OrderRow(
        client_order_id="one", symbol="SPY", side="buy", type="limit", quantity=1.0, filled_quantity=0.0,
        limit_price=1.0, time_in_force="day", status="new" if is_open else "canceled", is_open=is_open, sleeve="bot",
        created_at=0, updated_at=0,
    ))  # fmt: skip
    return views


@pytest.mark.parametrize(
    ("views", "why"),
    [(traded_by_a_bot(), "trend trades it"), (held(), "it is held"), (asked_for(True), "an order in it is open")],
)
def test_what_somebody_needs_stays(views: Views, why: str) -> None:
    with pytest.raises(DataError, match=f"SPY stays on the watch list: {why}") as refusal:
        refuse_if_needed("SPY", views)
    assert refusal.value.remedy
    refuse_if_needed("IBM", views)


def test_what_is_over_keeps_nothing() -> None:
    refuse_if_needed("SPY", asked_for(False))
