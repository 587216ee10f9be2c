"""The real engine with all its children on a real Redis that is killed while it trades and comes back."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.streams.sealing import new_key
from tests.e2e.test_engine import LONGEST, running, signals
from tests.services import Redis
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


async def test_feed_and_bots_go_on_while_redis_is_away_and_the_window_says_so(
    redis_server: Redis, tmp_path: Path
) -> None:
    (tmp_path / "paddock.toml").write_text(
        f'[hub]\nhold_s = 0.5\nsettle_s = 0.5\n[hub.redis]\nhost = "127.0.0.1"\nport = {redis_server.port}\n'
        f'[[hub.keys]]\nid = "test"\nkey = "{new_key()}"\n'
    )
    async with running(tmp_path) as engine:
        summary = engine.views.summary
        assert summary.hub_name == "Redis"
        await until(lambda: signals(engine) > 0, LONGEST)
        await until(lambda: summary.hub_state == "good", LONGEST)

        redis_server.kill()
        await until(lambda: summary.hub_name == "ZeroMQ (Redis away)", LONGEST)
        alerts = [row for row in engine.views.errors if row.component == "hub"]
        await until(lambda: any("embedded hub" in row.message for row in engine.views.errors), LONGEST)
        assert all("redis-server" in row.remedy for row in alerts)
        heard = signals(engine)
        await until(lambda: signals(engine) > heard, LONGEST)
        await until(lambda: summary.hub_state == "warning" and summary.feed_state == "good", LONGEST)

        redis_server.start()
        await until(lambda: summary.hub_name == "Redis", LONGEST)
        heard = signals(engine)
        await until(lambda: signals(engine) > heard, LONGEST)
        await until(lambda: (row := engine.views.health.get("hub")) and row.detail == "Redis", LONGEST)
