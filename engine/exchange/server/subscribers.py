"""One client of a data stream: what it has subscribed to, and what it is told."""

from __future__ import annotations

from typing import Any

from engine.exchange.server import codec
from engine.exchange.server.outbox import Outbox

STOCKS, CRYPTO, TEST = "stocks", "crypto", "test"
_COMMON = ("trades", "quotes", "bars", "updatedBars", "dailyBars")
_WITH_TRADES = ("corrections", "cancelErrors")
CHANNELS = {
    STOCKS: (*_COMMON, "statuses", "lulds"),
    TEST: (*_COMMON, "statuses", "lulds"),
    CRYPTO: (*_COMMON, "orderbooks"),
}
"""What each feed can be asked for."""
KNOWN = frozenset({*_COMMON, *_WITH_TRADES, "statuses", "lulds", "orderbooks"})
CONFLATED = frozenset({"quotes", "orderbooks"})
"""Of these a client that falls behind gets the newest of each symbol only."""
ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
}


class Client:
    """One connection of one feed. `path` is its end point."""

    def __init__(self, outbox: Outbox, feed: str, path: str, packed: bool) -> None:
        self.feed = feed
        self.path = path
        self.packed = packed
        self.outbox = outbox
        self.key = ""
        self.subscriptions: dict[str, frozenset[str]] = {channel: frozenset() for channel in CHANNELS[feed]}
        self.held: dict[tuple[str, str], bytes] = {}
        """The newest conflated message of each channel and symbol that waits until the client has caught up."""

    @property
    def is_authenticated(self) -> bool:
        return bool(self.key)

    def signature(self) -> tuple[object, ...]:
        """Clients of equal signature are sent equal frames."""
        return (self.feed, self.packed, *self.subscriptions.values())

    def subscribed(self) -> dict[str, Any]:
        """The subscriptions as the client is told them. Corrections and cancellations come with the trades."""
        shown: dict[str, Any] = {channel: sorted(names) for channel, names in self.subscriptions.items()}
        if self.feed != CRYPTO:
            shown |= dict.fromkeys(_WITH_TRADES, shown["trades"])
        return {"T": "subscription", **shown}

    def send(self, *messages: dict[str, Any]) -> None:
        self.outbox.put(codec.encode_control(list(messages), self.packed))

    def refuse(self, code: int, close: bool = False) -> None:
        frame = codec.encode_control([{"T": "error", "code": code, "msg": ERRORS[code]}], self.packed)
        if close:
            self.outbox.finish(frame)
        else:
            self.outbox.put(frame)


def change(client: Client, wanted: dict[str, list[str]], add: bool, symbol_limit: int) -> int:
    """Add or take back subscriptions. Returns the code of a refusal, after which nothing has changed, or 0."""
    if any(channel not in KNOWN for channel in wanted):
        return 400
    asked = {channel: names for channel, names in wanted.items() if channel not in _WITH_TRADES}
    if any(names and channel not in client.subscriptions for channel, names in asked.items()):
        return 410
    changed = dict(client.subscriptions)
    for channel, names in asked.items():
        if names:
            changed[channel] = changed[channel] | set(names) if add else changed[channel] - set(names)
    if add and symbol_limit and len(frozenset().union(*changed.values()) - {"*"}) > symbol_limit:
        return 405
    client.subscriptions = changed
    return 0
