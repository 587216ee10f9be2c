"""A bar is corrected after a bot signalled on it: which signals would have been others, said, shown and stored."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from engine.clock import SystemClock
from engine.config import load_settings
from engine.domain.market import NANOSECONDS, Bar, Timeframe
from engine.orchestrator.projection import Projection
from engine.storage.market.backlog import Backlog
from engine.streams.address import HubAddress
from engine.streams.base import Delivery
from engine.streams.kinds import Kind, kind_of
from engine.streams.messages import CANDLES, REVISED_SIGNALS, Candles, HistoryReply, RevisedSignals, Signals
from engine.views import Views
from engine.workers.bot import Bot, Settings

BEGIN = 1_700_000_040 * NANOSECONDS
MINUTE = Timeframe.MINUTE_1.nanoseconds


def bar(number: int, close: float, revision: int = 0) -> Bar:
    return Bar("SPY", Timeframe.MINUTE_1, BEGIN + number * MINUTE, close, close, close, close, 100.0, 1, close, True, revision)  # fmt: skip


class Desk:
    """A bot of sma-cross that holds SPY while the mean of two closes is above that of four."""

    def __init__(self, **settings: Any) -> None:
        self.said: list[tuple[str, Any]] = []
        chosen = Settings(
            name="trend", sleeve="trend", strategy="sma-cross", symbols=["SPY", "QQQ"], timeframe=Timeframe.MINUTE_1,
            hub=HubAddress("", ""), parameters={"fast": 2, "slow": 4}, **settings,
        )  # fmt: skip
        child: Any = SimpleNamespace(settings=chosen, clock=SystemClock(), progress=lambda: None)
        transport: Any = SimpleNamespace(publish=lambda topic, message: self.said.append((topic, message)))
        self.bot = Bot(child, transport)
        past = [bar(number, 100.0) for number in range(6)]
        self._hear(HistoryReply(request_id="1", symbol="SPY", timeframe=Timeframe.MINUTE_1, bars=past))

    def bars(self, *bars: Bar) -> None:
        for one in bars:
            self._hear(Candles(Timeframe.MINUTE_1, [one]))

    def _hear(self, message: Any) -> None:
        self.bot.take([Delivery(CANDLES + "1m", "feed", 0, message)])

    @property
    def revised(self) -> list[RevisedSignals]:
        return [message for topic, message in self.said if topic == REVISED_SIGNALS]

    @property
    def newest_signal(self) -> str:
        found: str = [message for _, message in self.said if isinstance(message, Signals)][-1].signals[-1].signal_id
        return found


def test_a_correction_that_would_have_changed_a_signal_is_said_with_both_weights() -> None:
    desk = Desk()
    desk.bars(bar(6, 110.0))
    signal = desk.newest_signal
    desk.bars(bar(7, 110.0), bar(6, 90.0, revision=1))
    assert [len(message.signals) for message in desk.revised] == [1]
    found = desk.revised[0].signals[0]
    assert (found.signal_id, found.symbol, found.bar, found.revision) == (signal, "SPY", BEGIN + 6 * MINUTE, 1)
    assert (found.was, found.would_be, found.price, found.as_of) == (0.5, 0.0, 90.0, BEGIN + 7 * MINUTE)
    assert kind_of(REVISED_SIGNALS) is Kind.KEPT


@pytest.mark.parametrize(
    "correction",
    [bar(6, 109.0, revision=1), bar(7, 111.0, revision=1), bar(2, 500.0, revision=1), bar(6, 90.0, revision=0)],
    ids=["no other weight", "after the signal", "too old to matter", "no revision"],
)
def test_a_correction_that_changes_no_signal_is_no_news(correction: Bar) -> None:
    desk = Desk()
    desk.bars(bar(6, 110.0), bar(7, 110.0), correction)
    assert desk.revised == []


def test_a_correction_of_the_newest_bar_is_told_beside_the_new_signal() -> None:
    desk = Desk()
    desk.bars(bar(6, 110.0))
    first = desk.newest_signal
    desk.bars(bar(6, 90.0, revision=1))
    assert desk.newest_signal != first
    assert [one.signal_id for message in desk.revised for one in message.signals] == [first]


def test_it_is_stored_beside_the_signals_and_shown_with_the_bot(tmp_path: Any) -> None:
    desk = Desk()
    desk.bars(bar(6, 110.0), bar(6, 90.0, revision=1))
    now = SystemClock().now()
    backlog = Backlog("w", raw=False)
    backlog.take([Delivery(topic, "trend", now, message) for topic, message in desk.said], now)
    rows = backlog.cut(now, last=True)["processing_results"]
    assert sorted(str(row[2]) for row in rows) == ["revision", "signal", "signal", "signal"]
    assert next(row[6] for row in rows if row[2] == "revision") == 0.0

    (tmp_path / "paddock.toml").write_text('[[bots]]\nname = "trend"\nstrategy = "sma-cross"\nsymbols = ["SPY", "QQQ"]')
    views = Views()
    Projection(views, SystemClock(), load_settings(tmp_path)).revised_signal(desk.revised[0].signals[0])
    row = views.bots.get("trend")
    assert row is not None and row.revised == 1
    assert "SPY +50.0%" in row.last_revision and "would be +0.0%" in row.last_revision


def test_a_strategy_that_cannot_be_asked_again_costs_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    desk.bars(bar(6, 110.0))

    def fail(bars: Any) -> Any:
        raise ValueError("not today")

    monkeypatch.setattr(desk.bot._strategy, "targets", fail)
    desk.bars(bar(5, 90.0, revision=1))
    assert desk.revised == []


def test_the_message_survives_the_wire() -> None:
    desk = Desk()
    desk.bars(bar(6, 110.0), bar(6, 90.0, revision=1))
    packed = msgspec.msgpack.encode(desk.revised[0])
    assert msgspec.msgpack.decode(packed, type=RevisedSignals) == desk.revised[0]
