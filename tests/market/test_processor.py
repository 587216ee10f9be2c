"""From batches to candles: the loop that most prints pass through does what is done with each by name."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import msgpack

from engine.domain.market import NANOSECONDS, Bar, Timeframe, Trade
from engine.market.batch import Batch, Correction
from engine.market.frames import decode
from engine.market.hours import NewYorkDays
from engine.market.normaliser.rejections import Reason
from engine.market.processor import Processor
from tests.market.packing import packed_quote, told
from tests.market.test_normaliser import NOON, refused, trade
from tests.market.test_packed import reader


class Built:
    """A processor and the last word on each candle."""

    def __init__(self) -> None:
        self.bars: dict[tuple[str, Timeframe, int], Bar] = {}
        self.processor = Processor(self.keep)
        self.processor.watch("SPY", NewYorkDays())

    def keep(self, bars: list[Bar]) -> None:
        for bar in bars:
            old = self.bars.get((bar.symbol, bar.timeframe, bar.timestamp))
            assert old is None or bar.revision > old.revision, "a closed candle comes again only as a new revision"
            self.bars[bar.symbol, bar.timeframe, bar.timestamp] = bar

    def take(self, *trades: Trade, corrections: tuple[Correction, ...] = ()) -> None:
        self.processor.take(Batch(trades=trades, corrections=corrections))

    def take_by_name(self, *trades: Trade, corrections: tuple[Correction, ...] = ()) -> None:
        self.processor.build(self.processor.check(Batch(trades=trades, corrections=corrections)))

    def values(self) -> dict[tuple[str, Timeframe, int], tuple[float, ...]]:
        self.processor.close_before(NOON + 3 * 86_400 * NANOSECONDS)
        return {key: (b.open, b.high, b.low, b.close, b.volume, b.trade_count) for key, b in self.bars.items()}


tapes = st.lists(st.tuples(st.integers(0, 90_000), st.integers(99, 101)), min_size=1, max_size=50)


@given(tapes, st.randoms(use_true_random=False), st.integers(1, 9))
def test_disorder_and_doubles_change_no_candle(tape: list[tuple[int, int]], chance: Any, size: int) -> None:
    trades = [trade(number, NOON + at * 1_000_000, float(price)) for number, (at, price) in enumerate(sorted(tape), 1)]
    straight, mixed = Built(), Built()
    straight.take(*trades)
    disordered = trades + chance.sample(trades, len(trades) // 2)
    chance.shuffle(disordered)
    for at in range(0, len(disordered), size):
        mixed.take(*disordered[at : at + size])
    assert mixed.values() == straight.values()
    counts = mixed.processor.normaliser.rejections.counts
    assert counts[Reason.DUPLICATE] == len(disordered) - len(trades)
    assert mixed.processor.messages == len(trades) + sum(counts.values()), "every message is accounted for"


def test_prints_of_the_next_minute_out_of_order_take_nothing_from_the_minute_that_is_open() -> None:
    """Its first second has closed, its last has not: the minute is what the two make."""
    built = Built()
    for seconds in ((0,), (2,), (41, 40), (102,)):
        built.take(*(trade(second + 1, NOON + second * NANOSECONDS) for second in seconds))
    built.values()
    minutes = {start - NOON: bar.volume for (_, frame, start), bar in built.bars.items() if frame is Timeframe.MINUTE_1}
    assert minutes == {-20 * NANOSECONDS: 2.0, 40 * NANOSECONDS: 2.0, 100 * NANOSECONDS: 1.0}


def test_a_correction_and_a_cancel_give_the_candles_that_the_right_prints_give() -> None:
    wrong = [trade(1), trade(2, NOON + 1, price=101.0), trade(3, NOON + 2, price=101.5)]
    later = trade(4, NOON + 70 * NANOSECONDS // 10)
    right = trade(2, NOON + 1, price=100.5)
    told, straight = Built(), Built()
    told.take(*wrong, later)
    told.take(
        corrections=(
            Correction("SPY", "V", 2, 101.0, 1.0, 0, right),
            Correction("SPY", "V", 3, 101.5, 1.0, 0),
            Correction("SPY", "V", 99, 1.0, 1.0, 0),
        )
    )
    straight.take(wrong[0], right, later)
    assert told.values() == straight.values()
    assert told.bars["SPY", Timeframe.SECOND_1, NOON].revision == 2
    assert refused(told.processor.normaliser) == {Reason.UNKNOWN_PRINT: 1}


steps = st.lists(
    st.tuples(
        st.sampled_from((0, 0, 1, 7, 400, 1_100, -3, -900, -70_000)),  # milliseconds after the one before
        st.integers(98, 102),
        st.sampled_from(((), ("@",), ("I",), ("Z",), ("M",), ("9",))),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=60,
)


@given(steps, st.integers(1, 9), st.lists(st.tuples(st.integers(0, 59), st.booleans()), max_size=6))
def test_the_loop_over_a_batch_does_what_is_done_print_by_print(
    tape: list[tuple[int, int, tuple[str, ...], int]], size: int, wrong: list[tuple[int, bool]]
) -> None:
    """Of one time, out of order, without an id, told twice, with conditions, corrected and cancelled meanwhile."""
    trades: list[Trade] = []
    at = NOON
    for step, price, conditions, number in tape:
        at += step * 1_000_000
        trades.append(trade(number, at, float(price), conditions=conditions))
    quick, named = Built(), Built()
    for first in range(0, len(trades), size):
        part = trades[first : first + size]
        corrections = tuple(
            Correction("SPY", "V", old.trade_id, old.price, 1.0, 0, trade(9, price=100.5) if put_right else None)
            for old, put_right in (
                (trades[index], put_right) for index, put_right in wrong if index < first + len(part)
            )
        )
        quick.take(*part, corrections=corrections)
        named.take_by_name(*part, corrections=corrections)
        wrong = [(index, put_right) for index, put_right in wrong if index >= first + len(part)]
    assert refused(quick.processor.normaliser) == refused(named.processor.normaliser)
    assert quick.values() == named.values()
    assert quick.bars == named.bars


def test_what_is_ordinary_moves_the_tapes_time_on_too() -> None:
    """Or the second before would stay open until a print comes that is not."""
    built = Built()
    for moments in ((0, 1_010), (1_100,)):
        burst = [told(trade(1 + ms, NOON + ms * 1_000_000)) for ms in moments]
        batch = reader.read([msgpack.encode(burst)])
        assert batch is not None
        built.processor.take(batch)
    assert ("SPY", Timeframe.SECOND_1, NOON) in built.bars


def test_prices_that_were_refused_teach_nothing_in_a_burst_either() -> None:
    """Every print of a burst but a few is wrong, and what is ordinary afterwards is what it was before."""
    columns, named = Built(), Built()
    tape = [trade(1 + n, NOON + n * 1_000, 100.0 if n < 300 or n % 17 else 900.0 + n * 60) for n in range(900)]
    for first in range(0, len(tape), 60):
        burst = [msgpack.encode([told(one) for one in tape[first : first + 60]])]
        batch = reader.read(burst)
        assert batch is not None
        columns.processor.take(batch)
        named.processor.take(decode(*burst))
    assert refused(columns.processor.normaliser)[Reason.OUTLIER] > 20
    prints = [list(built.processor.normaliser.symbols["SPY"].band._prints) for built in (columns, named)]
    assert prints[0] == prints[1]
    assert max(prints[0]) == 100.0


def told_steps(calm: int) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    """`calm` times as much of what is usual as of what is not."""
    return st.lists(
        st.tuples(
            st.sampled_from((0, 0, 1, 7) * calm + (400, 1_100, -3, -900, -70_000, 86_400_000)),  # milliseconds
            st.sampled_from(("SPY", "SPY", "SPY", "QQQ", "IBM")),
            st.sampled_from((99.0, 100.0, 101.0) * calm + (150.0, 0.0, -1.0, math.nan, math.inf)),
            st.sampled_from(((), ("@",), ("I",), ("Z",), ("M",), ("9",), ("@", "I"))),
            st.integers(0, 9),
            st.sampled_from((True, False, False, False)),
        ),
        min_size=20,
        max_size=120,
    )


@given(st.one_of(told_steps(1), told_steps(5), told_steps(50)), st.integers(5, 60))
def test_bursts_in_columns_do_what_is_done_message_by_message(tape: list[tuple[Any, ...]], size: int) -> None:
    """Of symbols that are watched and one that is not, prints and quotes, good ones and such as cannot be."""
    at, messages = NOON, list[dict[str, Any]]()
    for step, symbol, price, conditions, number, is_quote in tape:
        at += step * 1_000_000
        if is_quote:
            messages.append({**packed_quote(symbol, at, number), "bp": price, "c": conditions})
        else:
            messages.append(told(Trade(symbol, price, 1.0, at, "V", conditions, number, "A")))
    columns, named = Built(), Built()
    for built in (columns, named):
        built.processor.watch("QQQ", NewYorkDays())
    for first in range(0, len(messages), size):
        burst = [msgpack.encode(messages[first : first + size])]
        batch, by_name = reader.read(burst), decode(*burst)
        assert batch is not None
        columns.processor.take(batch)
        named.processor.build(named.processor.check(by_name))
        assert columns.bars == named.bars
    assert refused(columns.processor.normaliser) == refused(named.processor.normaliser)
    assert columns.processor.unwatched == named.processor.unwatched
    assert columns.processor.board.drain() == named.processor.board.drain()
    assert columns.values() == named.values()


@given(
    st.lists(
        st.tuples(st.sampled_from((0, 0, 1, 300, 1_100)), st.sampled_from(("take", "hold", "read", "let go"))),
        min_size=1,
        max_size=40,
    ),
    st.randoms(use_true_random=False),
)
def test_what_waits_while_missed_trades_are_read_counts_once(told: list[tuple[int, str]], chance: Any) -> None:
    """Streamed, held and read again over REST, in any turn; and each second can be built again from the tape."""
    built, held = Built(), list[Batch]()
    processor, at = built.processor, NOON
    candles = processor.candles["SPY"]
    tape: list[Trade] = []
    for number, (step, what) in enumerate(told, 1):
        at += step * 1_000_000
        tape.append(trade(number, at, size=float(number)))
        streamed = Batch(trades=[tape[-1], *chance.sample(tape, min(len(tape), 2))])
        if what == "take" and not held:
            processor.take(streamed)
        else:
            held.append(processor.check(streamed))
        if what == "read":
            candles.add(processor.normaliser.trades(tape[-chance.randint(1, 9) :]))
        elif what == "let go":
            processor.build(Batch(trades=[one for batch in held for one in batch.trades]))
            held.clear()
    processor.build(Batch(trades=[one for batch in held for one in batch.trades]))
    volumes: dict[int, float] = {}
    for one in tape:
        second = one.timestamp - one.timestamp % NANOSECONDS
        volumes[second] = volumes.get(second, 0.0) + one.size
    assert {start: bar.volume for start, bar in candles.seconds.bars.items()} == volumes
    wrong = chance.choice(tape)
    candles.correct(Correction("SPY", "V", wrong.trade_id, wrong.price, wrong.size, 0))
    volumes[wrong.timestamp - wrong.timestamp % NANOSECONDS] -= wrong.size
    left = {start: volume for start, volume in volumes.items() if volume}
    assert {start: bar.volume for start, bar in candles.seconds.bars.items()} == left
