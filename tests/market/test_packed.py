"""The compiled reader gives what the decoder that reads anything gives, or leaves it to that."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from engine.domain.market import NANOSECONDS
from engine.market.columns import Trades
from engine.market.frames import Frame, decode
from engine.market.packed import decoder
from engine.market.packed.reader import CAPACITY, Reader
from engine.market.packed.words import MOST
from tests.market.packing import packed_quote, packed_trade, stamp

decoder.load()  # compiled before the examples, whose time is limited
reader = Reader(least_of_each=0, longest=1 << 63)
"""One for all examples: what it keeps from one burst to the next is of no consequence."""


def contents(frame: Frame) -> tuple[Any, ...]:
    """Compared as text, in which a price that is no number equals itself."""
    trades = [
        (t.symbol, t.price, t.size, t.timestamp, t.exchange, t.conditions, t.trade_id, t.tape) for t in frame.trades
    ]
    quotes = [(q.symbol, q.bid_price, q.bid_size, q.ask_price, q.ask_size, q.timestamp) for q in frame.quotes]
    rest = frame.bars, frame.daily, frame.corrections, frame.words, frame.errors, frame.subscribed, frame.rejected
    return repr(trades), repr(quotes), repr([value or () for value in rest])


numbers = st.one_of(st.floats(), st.floats(width=32), st.integers(0, (1 << 63) - 1))
letters = st.sampled_from(("", "@", "I", "V", "Ω", "14 bytes long.", "longer than words are", "\0"))
times = st.integers(0, 9_000_000_000 * NANOSECONDS)
trades = st.fixed_dictionaries(
    {"S": st.sampled_from(("SPY", "BTC/USD", "A", "")), "p": numbers, "s": numbers, "t": times.map(stamp)},
    optional={
        "i": st.integers(0, (1 << 63) - 1),
        "x": letters,
        "z": letters,
        "c": st.lists(letters, max_size=3),
        "tks": st.sampled_from(("B", "S")),
        "new field": st.one_of(
            st.none(), st.lists(st.integers(-(1 << 63), 1 << 63), max_size=20), st.binary(max_size=300), st.text()
        ),
    },
).map(lambda fields: {"T": "t", **fields})
quotes = st.fixed_dictionaries(
    {"S": st.sampled_from(("SPY", "QQQ")), "t": times.map(stamp)} | dict.fromkeys(("bp", "bs", "ap", "as"), numbers),
    optional={"bx": letters, "ax": letters, "c": st.lists(letters, max_size=3), "z": letters},
).map(lambda fields: {"T": "q", **fields})
others = st.sampled_from(
    (
        {"T": "b", "S": "SPY", "t": stamp(1), "o": 1, "h": 1, "l": 1, "c": 1, "v": 1},
        {
            "T": "c",
            "S": "SPY",
            "t": stamp(1),
            "op": 1.0,
            "os": 1.0,
            "cp": 2.0,
            "cs": 1.0,
            "cc": ["@"],
            "x": "V",
            "oi": 4,
        },
        {"T": "x", "S": "SPY", "t": stamp(1), "p": 1.0, "s": 1.0, "x": "V", "i": 4},
        {"T": "success", "msg": "connected"},
        {"T": "error", "code": 405, "msg": "symbol limit exceeded"},
        {"T": "subscription", "trades": ["SPY"], "quotes": []},
    )
)
bursts = st.lists(st.lists(st.one_of(trades, quotes, others), min_size=1, max_size=20), min_size=1, max_size=5)


@given(bursts)
def test_ordinary_bursts_are_read_as_the_decoder_reads_them(burst: list[list[dict[str, Any]]]) -> None:
    frames = [msgpack.encode(messages) for messages in burst]
    found = reader.read(frames)
    if found is None:
        assert any(
            len(msgpack.encode(message[name])) > 14
            for messages in burst for message in messages for name in ("S", "x", "z", "c") if message.get(name)
        ), "only a word that is too long is unusual here"  # fmt: skip
    else:
        assert contents(found) == contents(decode(*frames))


odd_fields = st.dictionaries(
    st.sampled_from(("T", "S", "p", "s", "t", "i", "x", "z", "c", "bp", "ap", "bs", "as", "", "longer")),
    st.one_of(
        st.none(), st.booleans(), st.integers(-(1 << 63), (1 << 64) - 1), st.text(max_size=20), st.floats(),
        st.lists(st.one_of(st.text(max_size=20), st.integers(0, 300), st.none()), max_size=3), st.binary(max_size=20),
        st.dictionaries(st.text(max_size=2), st.integers(0, 9), max_size=2),
        st.builds(msgpack.Ext, st.integers(-2, 1), st.sampled_from((4, 8, 12, 3)).map(bytes)),
    ),
    max_size=8,
)  # fmt: skip


@given(st.lists(st.lists(st.one_of(trades, quotes, odd_fields), max_size=4), max_size=3))
def test_what_is_odd_is_read_alike_or_left_to_the_decoder(burst: list[list[dict[str, Any]]]) -> None:
    frames = [msgpack.encode(messages) for messages in burst]
    if (found := reader.read(frames)) is not None:
        assert contents(found) == contents(decode(*frames))


def garbled(chance: random.Random) -> list[bytes]:
    """Good frames with bytes of them changed, left out or doubled."""
    frames = []
    for _ in range(chance.randint(1, 3)):
        messages = [
            (packed_trade if chance.random() < 0.5 else packed_quote)("SPY", chance.getrandbits(60), n)
            for n in range(chance.randint(1, 4))
        ]
        data = bytearray(msgpack.encode(messages))
        for _ in range(chance.randint(0, 2)):
            at = chance.randint(0, len(data))
            other = chance.choice((b"", chance.randbytes(1), data[at : at + 9], b"\xdc\xff\xff", b"\xc7\xff", b"\xd9"))
            data[at : at + (1 if len(other) == 1 else chance.randint(0, 4))] = other
        frames.append(bytes(data))
    return frames


def read_garbled(count: int, seed: int) -> int:
    """How many bursts were read all the same."""
    chance = random.Random(seed)
    read = 0
    for _ in range(count):
        frames = garbled(chance)
        if (found := reader.read(frames)) is not None:
            read += 1
            assert contents(found) == contents(decode(*frames)), frames
    return read


def test_garbled_frames_are_read_alike_or_left_to_the_decoder() -> None:
    assert read_garbled(3_000, seed=1) > 300


def test_no_garbled_frame_makes_it_read_beyond_the_burst() -> None:
    """Compiled code would not notice, so here it runs as Python, where an index that is too great is an error."""
    code = "from tests.market.test_packed import read_garbled; assert read_garbled(300, seed=2) > 20"
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr


def test_more_messages_than_there_is_room_for_make_more_room() -> None:
    frames = [msgpack.encode([packed_trade("SPY", 1 + n, n) for n in range(first, first + 500)]) for first in range(0, 3 * CAPACITY, 500)]  # fmt: skip
    found = Reader().read(frames)
    assert found is not None and len(found.trades) > 3 * CAPACITY
    assert contents(found) == contents(decode(*frames))


def test_more_words_than_it_keeps_are_read_right_nevertheless() -> None:
    """The burst in which the others are forgotten may be left to the decoder."""
    fresh = Reader()
    left = 0
    for first in range(0, 3 * MOST, 50):
        frame = msgpack.encode([packed_quote(f"S{n}", 1, n) for n in range(first, first + 50)])
        if (found := fresh.read([frame, frame])) is None:
            left += 1
        else:
            assert [quote.symbol for quote in found.quotes] == [f"S{n}" for n in range(first, first + 50)] * 2
    assert left <= 3


def test_the_parts_of_a_sequence_are_those_of_the_list() -> None:
    messages = [packed_trade("AB"[n % 2], 5 + n, n) for n in range(9)] + [
        packed_quote("AB"[n % 2], n, n) for n in range(9)
    ]
    found = reader.read([msgpack.encode(messages)])
    assert found is not None
    for sequence in (found.trades, found.quotes):
        assert list(sequence[2:5]) == list(sequence)[2:5] and sequence[-1] == list(sequence)[-1]


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "_make_reader", None)
    decoder.load()


@pytest.mark.usefixtures("loaded")
def test_large_bursts_are_read_in_columns_small_and_unusual_ones_as_ever() -> None:
    one = msgpack.encode([packed_trade("SPY", 1, 1)])
    many = [one] * (1 + decoder.LEAST // len(one))
    source = decoder.Decoder()
    assert isinstance(source.decode([one]).trades, list)
    assert isinstance(source.decode(many).trades, Trades)
    spoilt = source.decode([*many, "text", b"\xc1"])
    assert (len(spoilt.trades), spoilt.rejected) == (len(many), 2)


@pytest.mark.usefixtures("loaded")
def test_after_an_unusual_burst_the_next_ones_are_not_tried() -> None:
    messages = [packed_trade("SPY", 1 + n, n) for n in range(100)]
    good, source = [msgpack.encode(messages)], decoder.Decoder()
    assert len(source.decode([msgpack.encode([*messages, {**messages[0], "p": None}])]).trades) == 100
    kinds = [type(source.decode(good).trades) for _ in range(decoder.RESTS + 2)]
    assert kinds == [list] * decoder.RESTS + [Trades] * 2


@pytest.mark.parametrize(("symbols", "seconds"), [(50, 0), (1, 2)])
def test_trades_that_lie_far_apart_are_left_to_the_decoder(symbols: int, seconds: int) -> None:
    """Of very many symbols, or of more than a second: each alone is taken more quickly."""
    tape = [packed_trade(f"S{n % symbols}", 1 + n * seconds * NANOSECONDS // 50, n) for n in range(60)]
    assert Reader().read([msgpack.encode(tape)]) is None
    assert Reader().read([msgpack.encode([packed_trade("SPY", 1 + n, n) for n in range(60)])]) is not None


def test_a_compiler_that_does_not_work_is_told_and_the_feed_reads_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(decoder, "_make_reader", None)
    monkeypatch.setitem(sys.modules, "engine.market.packed.reader", None)
    decoder.load()
    assert "without compiled code" in caplog.text
    assert len(decoder.Decoder().decode([msgpack.encode([packed_trade("SPY", 1, 1)])] * 100).trades) == 100
