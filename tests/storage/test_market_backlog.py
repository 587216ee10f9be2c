"""What waits for the market database: bounded, without doubles, with a true count of what was lost or refused."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.market import NANOSECONDS, Timeframe
from engine.storage.market.backlog import Backlog
from engine.storage.market.chunks import unpack
from engine.storage.market.rows import LARGEST
from engine.streams.messages import Candles, Quotes, Signals
from tests.storage.market_rows import NOW, bar, delivery, quote, signal


def candles(*bars: object) -> Candles:
    return Candles(Timeframe.MINUTE_1, list(bars))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("garbage", "reason"),
    [
        (quote(last=nan), "not finite"),
        (quote(last=inf), "not finite"),
        (quote(symbol="S\0Y"), "zero byte"),
        (quote(symbol="S" * 5_000), "too long"),
        (quote(at=LARGEST), "64 bits"),
        (quote(at=1 - NOW // NANOSECONDS), "out of range"),
        (quote(at=2 * 86_400), "out of range"),
    ],
)
def test_garbage_is_refused_counted_by_reason_and_costs_nothing_else(garbage: object, reason: str) -> None:
    backlog = Backlog("w", raw=False)
    backlog.take([delivery(Quotes([quote(), garbage, quote(1)]))], NOW)  # type: ignore[list-item]
    assert len(backlog.cut(NOW)["normalized_data"]) == 2
    assert [(reason in told, count) for told, count in backlog.refused.items()] == [(True, 1)]


def test_a_growing_bar_is_not_kept_and_a_revision_replaces_what_still_waits() -> None:
    backlog = Backlog("w", raw=False)
    growing = bar(9.0, 5).__class__("SPY", Timeframe.MINUTE_1, NOW, 1, 1, 1, 1, 1, closed=False)
    backlog.take([delivery(candles(growing, bar(2.0, revision=1), bar(1.0), bar(3.0, 1)))], NOW)
    assert [(row[6], row[10]) for row in backlog.cut(NOW)["realtime_candles"]] == [(2.0, 1), (3.0, 0)]


def test_of_the_quotes_of_one_second_the_last_is_kept_for_each_symbol() -> None:
    backlog = Backlog("w", raw=False)
    backlog.take([delivery(Quotes([quote(0, "SPY", 1.0), quote(0, "IBM", 2.0), quote(1), quote(0, "SPY", 3.0)]))], NOW)
    assert [(row[1], row[2]) for row in backlog.cut(NOW)["normalized_data"]] == [
        ("SPY", 3.0),
        ("IBM", 2.0),
        ("SPY", 1.0),
    ]


def test_what_is_given_back_does_not_replace_what_came_meanwhile() -> None:
    backlog = Backlog("w", raw=False)
    backlog.take([delivery(Quotes([quote(last=1.0)]))], NOW)
    taken = backlog.cut(NOW)
    backlog.take([delivery(Quotes([quote(last=2.0)]))], NOW)
    backlog.give_back(taken, NOW)
    assert [row[2] for row in backlog.cut(NOW)["normalized_data"]] == [2.0]


def test_when_too_much_waits_quotes_go_before_signals_and_the_oldest_first() -> None:
    backlog = Backlog("w", raw=False, most_rows=10)
    backlog.take([delivery(Signals([signal(number) for number in range(1, 7)]))], NOW)
    backlog.take([delivery(Quotes([quote(number) for number in range(8)]))], NOW)
    kept = backlog.cut(NOW)
    assert [row[0] for row in kept["normalized_data"]] == [quote(number).timestamp for number in (4, 5, 6, 7)]
    assert len(kept["processing_results"]) == 6
    assert backlog.dropped == {"normalized_data": 4}


def test_raw_messages_go_a_thousand_in_a_row_and_bound_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    backlog = Backlog("w")
    backlog.take([delivery(Quotes([quote(number)])) for number in range(2_500)], NOW)
    chunks = backlog.cut(NOW, last=True)["stream_messages"]
    assert [row[3] for row in chunks] == [1_000, 1_000, 500]
    bodies = [row[6] for row in chunks if isinstance(row[6], bytes)]
    messages = [found.message for body in bodies for found in unpack(body)]
    assert messages == [Quotes([quote(number)]) for number in range(2_500)]
    monkeypatch.setattr("engine.storage.market.backlog.CHUNK_BYTES_KEPT", 3 * len(bodies[0]))
    backlog.take([delivery(Quotes([quote(number)])) for number in range(10_000)], NOW)
    assert backlog.dropped["stream_messages"] == 10 - len(backlog.cut(NOW, last=True)["stream_messages"]) > 5


def test_raw_messages_that_are_few_wait_ten_seconds_for_company() -> None:
    backlog = Backlog("w")
    for second in range(0, 25, 5):
        at = NOW + second * NANOSECONDS
        backlog.take([delivery(Quotes([quote(second)]))], at)
        chunks = backlog.cut(at).get("stream_messages", [])
        assert [row[3] for row in chunks] == ([3] if second == 10 else [])
    assert [row[3] for row in backlog.cut(at, last=True)["stream_messages"]] == [2]


@given(st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=12), st.integers(1, 20), st.data())
def test_every_row_is_written_or_counted_whatever_fails(
    batches: list[list[int]], most: int, data: st.DataObject
) -> None:
    """Distinct rows taken = distinct rows written + those dropped for good."""
    backlog = Backlog("w", raw=False, most_rows=most)
    written: set[object] = set()
    taken = 0
    for number, batch in enumerate(batches):
        rows = {number * 100 + at for at in batch}
        taken += len(rows)
        backlog.take([delivery(Quotes([quote(at) for at in sorted(rows)]))], NOW)
        found = backlog.cut(NOW)
        if data.draw(st.booleans()):
            written |= {row[0] for row in found.get("normalized_data", [])}
        else:
            backlog.give_back(found, NOW)
        assert backlog.waiting <= most
    assert taken == len(written) + backlog.waiting + backlog.dropped.total()
