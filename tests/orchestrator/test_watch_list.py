"""The watch list as the window shows it: the person's order, and a row for what has no price yet."""

from __future__ import annotations

from engine.clock import SystemClock
from engine.orchestrator.market import MarketMemory
from engine.streams.messages import Quotes, QuoteState
from engine.tables import Table
from engine.views import QuoteRow


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
