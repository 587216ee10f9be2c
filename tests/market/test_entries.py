"""Entries of a shared stream: the same in JSON as in msgpack, every time exact, and no bytes that make the decoder raise."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.market import NANOSECONDS, Timeframe, Trade
from engine.domain.timestamps import format_rfc3339
from engine.market.entries import decode_entries
from tests.market.tellers import BEGIN, GARBAGE, frame, packed

TRADE = Trade("SPY", 590.25, 100.0, BEGIN, "V", ("@", "I"), 7, "B")
HEAD = '"T":"t","S":"SPY","p":1,"s":1,"t":'


def row(trade: Trade) -> tuple[object, ...]:
    return (trade.symbol, trade.price, trade.size, trade.timestamp, trade.exchange, trade.conditions, trade.trade_id, trade.tape)  # fmt: skip


@given(st.integers(0, 4_000_000_000 * 1_000_000))
def test_json_and_msgpack_say_the_same(micros: int) -> None:
    trade = msgspec.structs.replace(TRADE, timestamp=micros * 1_000)
    in_json, in_msgpack = decode_entries([msgspec.json.encode(frame([trade]))]), decode_entries([packed([trade])])
    assert [row(found) for found in in_json.trades] == [row(found) for found in in_msgpack.trades] == [row(trade)]


@given(st.integers(0, 999_999_999), st.integers(1, 9))
def test_a_time_has_as_many_digits_as_its_writer_likes(nanos: int, digits: int) -> None:
    text = format_rfc3339(BEGIN)[:19] + "." + f"{nanos:09}"[:digits] + "Z"
    found = decode_entries([("{" + HEAD + f'"{text}"' + "}").encode()])
    assert found.trades[0].timestamp == BEGIN + int(f"{nanos:09}"[:digits].ljust(9, "0"))


def test_times_may_name_their_zone_or_leave_out_the_fraction() -> None:
    texts = ("2023-11-14T22:13:20Z", "2023-11-14T17:13:20-05:00", "2023-11-14T17:13:20.0-05:00", "2023-11-14T22:13:20")
    found = decode_entries([("[{" + HEAD + f'"{text}"' + "}]").encode() for text in texts])
    assert [trade.timestamp for trade in found.trades] == [BEGIN] * len(texts)


def test_quotes_minutes_and_corrections_come_too_and_the_words_of_a_session_do_not() -> None:
    time = "2023-11-14T22:13:00Z"
    messages = [
        {"T": "q", "S": "SPY", "t": time, "bp": 1.0, "bs": 2, "ap": 1.5, "as": 3, "bx": "V", "ax": "N", "c": ["R"]},
        {"T": "b", "S": "SPY", "t": time, "o": 1, "h": 2, "l": 1, "c": 2, "v": 9, "n": 3, "vw": 1.5},
        {"T": "c", "S": "SPY", "t": time, "x": "V", "oi": 7, "op": 1, "os": 1, "ci": 8, "cp": 2, "cs": 1},
        {"T": "x", "S": "SPY", "t": time, "x": "V", "i": 7, "p": 1, "s": 1},
        {"T": "success", "msg": "connected"},
    ]  # fmt: skip
    found = decode_entries([msgspec.json.encode(messages)])
    assert (len(found.quotes), len(found.corrections), found.rejected) == (1, 2, 0)
    assert [(bar.timeframe, bar.timestamp, bar.close) for bar in found.bars] == [
        (Timeframe.MINUTE_1, BEGIN - 20 * NANOSECONDS, 2.0)
    ]


@given(st.lists(st.binary(max_size=60) | st.sampled_from(GARBAGE) | st.text(max_size=40).map(str.encode), max_size=5))
def test_no_bytes_make_the_decoder_raise(entries: list[bytes]) -> None:
    decode_entries(entries)
    decode_entries([b"[" + entry + b"]" for entry in entries])


def test_times_that_cannot_be_are_refused() -> None:
    texts = ("", "soon", "2023-11-14T22:13:20.12a4Z", "2023-02-30T00:00:00Z")  # fmt: skip
    found = decode_entries([("{" + HEAD + f'"{text}"' + "}").encode() for text in texts])
    assert (list(found.trades), found.rejected) == ([], len(texts))
