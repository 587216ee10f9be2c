"""What the engine hears of its streams: silence and return, gaps and who filled them, symbols that nobody sends."""

from __future__ import annotations

from pathlib import Path

from engine.clock import SystemClock
from engine.config import load_settings
from engine.domain.events import Severity
from engine.installation import Installation, folder_name
from engine.orchestrator.engine import TOPICS
from engine.orchestrator.health import feed_state, write_gaps
from engine.orchestrator.market import MarketMemory
from engine.orchestrator.parts import Parts
from engine.streams.base import Delivery
from engine.streams.messages import FEED_GAPS, FEED_HEALTH, FeedStatus, Gap, Gaps, Quotes, QuoteState, StreamHealth
from engine.tables import Table
from engine.views import HealthRow, QuoteRow


def health(was: str, now: str) -> Delivery:
    said = StreamHealth(feed="feed", source="iex", channel="trades", was=was, now=now, words=f"trades are {now}", at=1)
    return Delivery(FEED_HEALTH, "feed", 1, said)


async def test_only_what_a_person_should_know_is_told(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    with Installation(settings.data, folder_name(settings)) as installation:
        parts = Parts(settings, installation, SystemClock())
        parts.router.hub(
            [health("waiting", "live"), health("live", "mute"), health("mute", "live"), health("live", "quiet")]
        )
        await parts.transport.close()
        told = [(row.kind, row.text, row.severity) for row in parts.views.activity]
    assert told == [
        ("feed", "feed: trades are mute", Severity.WARNING),
        ("feed", "feed: trades are live", Severity.INFO),
    ]


def gap(symbol: str, trades: int, whole: bool = True) -> Gap:
    return Gap(
        symbol=symbol, start=10**18, end=10**18 + 6 * 10**9, source="REST", trades=trades, minutes=1, whole=whole
    )


async def test_gaps_are_one_line_in_the_events_and_stand_by_symbol_in_health(tmp_path: Path) -> None:
    assert {FEED_GAPS, FEED_HEALTH} <= set(TOPICS)
    settings = load_settings(tmp_path)
    with Installation(settings.data, folder_name(settings)) as installation:
        parts = Parts(settings, installation, SystemClock())
        parts.router.hub([Delivery(FEED_GAPS, "feed", 1, Gaps("feed", [gap("SPY", 30), gap("IBM", 4, whole=False)]))])
        await parts.transport.close()
        text = next(row.text for row in parts.views.activity)
        assert "2 symbols" in text and "34 were read by REST" in text and "of IBM the minutes only" in text
        table: Table[HealthRow] = Table()
        write_gaps(table, parts.market, 1)
    row = table.get("gaps")
    assert row is not None and row.detail.startswith("2 filled, 34 missed trades")
    assert [line.split()[0] for line in row.more.splitlines()] == ["IBM", "SPY"]


def test_a_symbol_that_the_venue_does_not_stream_is_a_warning_of_the_feed() -> None:
    quotes: Table[QuoteRow] = Table()
    market = MarketMemory(quotes, SystemClock())
    market.take(Quotes([QuoteState("SPY", 1, 1, 1, 1, 1, 1, 1, 1)]))
    well = FeedStatus(feed="feed", source="iex", connected=True, age=0.1, messages=1, message_rate=1.0, symbols=["SPY"])
    market.take(well)
    assert feed_state(market, True)[0] == "good"
    market.take(
        FeedStatus(
            feed="feed",
            source="iex",
            connected=True,
            age=0.1,
            messages=1,
            message_rate=1.0,
            symbols=["SPY", "IBM"],
            not_sent=["IBM"],
        )
    )
    assert feed_state(market, True) == ("warning", "the venue does not stream IBM")
