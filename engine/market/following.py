"""What one feed follows, as it is told on the hub: symbols that come and go, and those that move to or from another feed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from engine.market.feed import Feed
from engine.streams.messages import Watch


class Watcher(Protocol):
    """Whatever keeps something for each symbol that is followed, such as its indicators."""

    def watch(self, symbols: Sequence[str]) -> None: ...

    def unwatch(self, symbols: Sequence[str]) -> None: ...


class Following:
    def __init__(self, feed: Feed, watcher: Watcher) -> None:
        self._feed = feed
        self._watcher = watcher

    async def watch(self, since: Mapping[str, int]) -> None:
        """By symbol, as `Feed.watch`."""
        self._watcher.watch(list(since))
        await self._feed.watch(since)

    async def follow(self, message: Watch) -> None:
        """To hear the same again changes nothing."""
        self._feed.tenure.begin(message.add, message.since)
        await self.watch(dict.fromkeys(message.add, message.since))
        if message.until:
            self._feed.tenure.end(message.remove, message.until)
        else:
            await self._let_go(message.remove)

    async def settle(self) -> None:
        """Let go of what has passed to another feed; once a second."""
        feed = self._feed
        await self._let_go(feed.tenure.over(feed.tape_now))
        feed.tenure.settle(feed.tape_now)

    async def _let_go(self, symbols: list[str]) -> None:
        self._watcher.unwatch(symbols)
        await self._feed.unwatch(symbols)
        self._feed.tenure.forget(symbols)
