"""Frames of the market-data stream as they are read."""

from __future__ import annotations

from engine.domain.market import Trade
from engine.exchange.prices.events import Cancellation, Correction
from engine.exchange.server import announcements, codec
from engine.market.frames import decode

TRADE = Trade("SPY", 100.0, 5.0, 1_700_000_000_000_000_000, "V", ("@",), 7)


def test_corrections_and_cancellations_are_no_fault_of_the_stream() -> None:
    corrected = Trade("SPY", 99.0, 5.0, TRADE.timestamp, "V", ("@",), 7)
    pieces = [
        codec.encode_trade(TRADE, True),
        announcements.encode_correction(Correction(TRADE, corrected, TRADE.timestamp + 1), True),
        announcements.encode_cancellation(Cancellation(corrected, "C", TRADE.timestamp + 2), True),
    ]
    (data,) = codec.frames(pieces, packed=True)
    frame = decode(data)
    assert [(t.symbol, t.price, t.size, t.timestamp, t.trade_id) for t in frame.trades] == [
        ("SPY", 100.0, 5.0, TRADE.timestamp, 7)
    ]
    changed, cancelled = frame.corrections
    assert changed.replacement is not None
    assert (changed.trade_id, changed.price, changed.replacement.price) == (7, 100.0, 99.0)
    assert (cancelled.trade_id, cancelled.price, cancelled.replacement) == (7, 99.0, None)
    assert frame.rejected == 0
