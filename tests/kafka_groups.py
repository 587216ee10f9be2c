"""Groups of readers on librdkafka's mock of a Kafka cluster.

Its coordinator is done with dealing out the shares as soon as the group's leader has sent them, and refuses a follower
that asks for its own after that (InvalidRequest), where a broker answers it. The follower then leaves and joins again,
the group is dealt out anew, and with bad luck so on and on. Here the leader waits until the followers have asked.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LONGEST_WAIT = 1.0
"""Seconds: a follower that has died does not ask."""


@contextmanager
def followers_first() -> Iterator[None]:
    from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance as Rebalance

    follow, lead = Rebalance._on_join_follower, Rebalance._on_join_leader
    asked, changed = Counter[tuple[str, int]](), threading.Condition()

    def round_of(joining: Any) -> tuple[str, int]:
        return joining.group_id, joining._coordinator.generation

    async def following(self: Any) -> Any:
        asking = asyncio.ensure_future(follow(self))
        await asyncio.sleep(0)  # by now it is on the wire
        with changed:
            asked[round_of(self)] += 1
            changed.notify_all()
        return await asking

    async def leading(self: Any, response: Any) -> Any:
        def wait() -> None:
            with changed:
                changed.wait_for(lambda: asked[round_of(self)] >= len(response.members) - 1, LONGEST_WAIT)

        await asyncio.to_thread(wait)
        # The mock has one thread: when it has answered this, it has read what the followers sent before.
        await self._coordinator._client.force_metadata_update()
        return await lead(self, response)

    Rebalance._on_join_follower, Rebalance._on_join_leader = following, leading
    try:
        yield
    finally:
        Rebalance._on_join_follower, Rebalance._on_join_leader = follow, lead
