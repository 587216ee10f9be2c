"""Feeds that are added by load are held to what is configured for the first one."""

from __future__ import annotations

from pathlib import Path

from engine.config import load_settings
from engine.installation import Installation, folder_name
from engine.orchestrator.plan import Venue, further_feed, plan
from engine.streams.address import HubAddress


def test_a_further_feed_has_the_first_ones_limits_and_its_own_symbols(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"processes": {"feed": {"memory_limit_mb": 300}}})
    installation = Installation(tmp_path, folder_name(settings))
    hub, venue = HubAddress("ipc://a", "ipc://b"), Venue(settings)
    shares = {"feed": {"SPY": 0}, "feed-2": {"IBM": 7}}
    first = next(s for s in plan(settings, installation, hub, venue, shares.__getitem__) if s.name == "feed")
    further = further_feed("feed-2", settings, installation, hub, venue, shares.__getitem__)
    assert (further.memory_limit, further.critical, first.critical) == (first.memory_limit, False, True)
    venue.found_at("http://127.0.0.1:1")
    told = further.settings()
    assert isinstance(told, dict) and (told["symbols"], told["said_until"]) == (["IBM"], {"IBM": 7})
