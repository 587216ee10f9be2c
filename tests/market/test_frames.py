"""Frames of the market-data stream as they are read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from engine.domain.market import NANOSECONDS, Trade
from engine.exchange.prices.events import Cancellation, Correction
from engine.exchange.server import announcements, codec
from engine.market.frames import decode
from engine.market.stamps import IN_COLUMNS

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


instants = st.integers(0, (1 << 34) * NANOSECONDS - 1)


@given(st.lists(st.tuples(instants, st.booleans()), min_size=1, max_size=3 * IN_COLUMNS), st.sampled_from((0, 5)))
def test_times_are_read_to_the_nanosecond_few_or_many_at_once(tape: list[tuple[int, bool]], every: int) -> None:
    """Each `every`-th in a rarer form, which does not fit into the columns."""
    rare = [bool(every) and number % every == 0 for number in range(len(tape))]
    data = msgpack.encode([told(at, is_trade, odd) for (at, is_trade), odd in zip(tape, rare, strict=True)])
    frame = decode(data, data)
    assert [trade.timestamp for trade in frame.trades] == 2 * [at for at, is_trade in tape if is_trade]
    assert [quote.timestamp for quote in frame.quotes] == 2 * [at for at, is_trade in tape if not is_trade]
    assert frame.rejected == 0


def told(at: int, is_trade: bool, odd: bool) -> dict[str, object]:
    seconds, fraction = divmod(at, NANOSECONDS)
    packed = (fraction << 34 | seconds).to_bytes(8, "big")
    long = fraction.to_bytes(4, "big") + seconds.to_bytes(8, "big", signed=True)
    stamp = msgpack.Ext(-1, long if odd else packed)
    if is_trade:
        return {"T": "t", "S": "SPY", "p": 1.0, "s": 1, "t": stamp}
    return {"T": "q", "S": "SPY", "bp": 1.0, "bs": 1, "ap": 1.0, "as": 1, "t": stamp}


def test_one_unreadable_time_and_a_word_of_the_server_spoil_nothing_in_a_large_frame() -> None:
    messages = [told(number * NANOSECONDS, True, False) for number in range(1, 2 * IN_COLUMNS)]
    spoilt: dict[str, object] = {**messages[7], "t": 5}
    frame = decode(msgpack.encode([*messages, spoilt, {"T": "success", "msg": "connected"}]))
    assert len(frame.trades) == len(messages)
    assert (frame.rejected, frame.words) == (1, ["connected"])
