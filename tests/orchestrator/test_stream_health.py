"""A stream that falls silent and comes back is told in the latest events; the usual beginning of a stream is not."""

from __future__ import annotations

from pathlib import Path

from engine.clock import SystemClock
from engine.config import load_settings
from engine.domain.events import Severity
from engine.installation import Installation, folder_name
from engine.orchestrator.parts import Parts
from engine.streams.base import Delivery
from engine.streams.messages import FEED_HEALTH, StreamHealth


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
