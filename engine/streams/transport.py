"""The transport that processes use: numbers messages, keeps what is guaranteed, and chooses among its carriers.

A sender uses one carrier at a time; a reader listens on all of them and lets each message in once. So nobody has to
agree on anything when a shared transport goes away: each sender changes over by itself, sends again what may have been
lost on the way, and the numbers tell the readers what they know already.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import msgspec

from engine.clock import Clock
from engine.streams.address import HubAddress, Sharing
from engine.streams.base import Carrier
from engine.streams.envelope import Numbering
from engine.streams.failover import Failover, Route
from engine.streams.kinds import Kind, is_kept, kind_of
from engine.streams.retained import KEEP_S, Held, Retained
from engine.streams.sealing import Seal
from engine.streams.subscription import HubSubscription

log = logging.getLogger(__name__)

LOOK_EVERY = 0.1
"""Seconds between two looks at the carriers."""
WAITING = "waiting"
SETTLING_S = 1.0
"""After a new connection guaranteed messages are sent a second time: some readers may have come back later than others."""


class HubStatus(msgspec.Struct, frozen=True):
    """Where this process's messages go."""

    name: str
    """What carries them, such as "Redis" or "ZeroMQ"."""
    preferred: str
    """What should carry them."""
    reason: str = ""
    """Why they differ, or why messages wait."""
    remedy: str = ""
    waiting: int = 0

    @property
    def is_as_wanted(self) -> bool:
        return self.name == self.preferred

    @property
    def is_embedded(self) -> bool:
        """Whether the embedded hub stands in for the preferred one."""
        return not self.is_as_wanted and self.name != WAITING


class HubTransport:
    """See `streams.base.Transport`. `publish` belongs to the thread that called `start`."""

    def __init__(
        self,
        embedded: Carrier,
        sender: str,
        clock: Clock,
        preferred: Carrier | None = None,
        seal: Seal | None = None,
        failover: Failover | None = None,
    ) -> None:
        self.on_change: Callable[[HubStatus], None] = lambda status: None
        self.numbering = Numbering(sender, clock)
        self._clock = clock
        self._embedded = embedded
        self._preferred = preferred
        self._seal = seal
        self._failover = failover or Failover(0.0, 0.0)
        self._retained = Retained()
        self._held = Held()
        self._active: Carrier | None = embedded if preferred is None else None
        self._connections = 0
        self._again_at: float | None = None
        self._subscriptions: list[HubSubscription] = []
        self._watching: asyncio.Task[None] | None = None

    @property
    def dropped(self) -> int:
        return sum(carrier.dropped for carrier in self._carriers) + self._retained.dropped + self._held.dropped

    @property
    def status(self) -> HubStatus:
        preferred = self._preferred or self._embedded
        if self._active is preferred:
            return HubStatus(preferred.name, preferred.name)
        name = self._active.name if self._active is not None else WAITING
        waiting = len(self._held) + (len(self._retained) if self._active is None else 0)
        return HubStatus(name, preferred.name, preferred.reason, preferred.remedy, waiting)

    async def start(self) -> None:
        """Returns when messages pass, or at once when nobody listens yet: they pass as soon as somebody does."""
        await asyncio.gather(*(carrier.start() for carrier in self._carriers))
        self._connections = self._embedded.connections
        self._look()
        self._watching = asyncio.create_task(self._watch(), name="hub-watch")

    def publish(self, topic: str, message: msgspec.Struct) -> None:
        kind, active = kind_of(topic), self._active
        passes = active is not None and active.is_up and active.connections == self._connections
        if kind is Kind.LATEST and not passes:
            self._held.add_latest(topic, message)
            return
        frame = self.numbering.frame(topic, message)
        if kind is Kind.KEPT:
            self._retained.add(self._clock.monotonic(), topic, frame)
        if active is not None and passes:
            active.send(topic, frame)
        elif kind is Kind.STREAM:
            self._held.add(topic, frame)

    def subscribe(self, topics: Sequence[str], group: str | None = None) -> HubSubscription:
        subscription = HubSubscription(topics, group, self._seal)
        for carrier in self._carriers:
            take = subscription.take_shared if carrier.is_shared else subscription.take
            subscription.attach(carrier.receive(topics, group, take, subscription.inbox.has_room))
        self._subscriptions.append(subscription)
        return subscription

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await asyncio.gather(*(subscription.close() for subscription in self._subscriptions))
        await asyncio.gather(*(carrier.close() for carrier in self._carriers))

    @property
    def _carriers(self) -> list[Carrier]:
        return [self._embedded] if self._preferred is None else [self._preferred, self._embedded]

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            self._look()

    def _look(self) -> None:
        now = self._clock.monotonic()
        for carrier in self._carriers:
            carrier.poll()
        changed = self._preferred is not None and self._choose(self._preferred, now)
        active = self._active
        if active is not None and active.is_up:
            self._catch_up(active, now, changed)
        if changed:
            self.on_change(self.status)

    def _choose(self, preferred: Carrier, now: float) -> bool:
        """True when messages now go another way."""
        changed = self._failover.step(preferred.is_up, now)
        route = self._failover.route
        self._active = {Route.PREFERRED: preferred, Route.HOLDING: None, Route.EMBEDDED: self._embedded}[route]
        for topic, frame in preferred.take_unsent():
            if not is_kept(topic):
                self._held.add(topic, frame)
        return changed

    def _catch_up(self, active: Carrier, now: float, changed: bool) -> None:
        """Send what waits, and again what may have been lost with the connection before."""
        fresh = changed or active.connections != self._connections
        if fresh:
            self._again_at = now + SETTLING_S
        elif self._again_at is not None and now >= self._again_at:
            fresh, self._again_at = True, None
        self._connections = active.connections
        if fresh:
            for topic, frame in self._retained:
                active.send(topic, frame)
        else:
            self._retained.forget(now - KEEP_S)
        self._send_held(active)

    def _send_held(self, active: Carrier) -> None:
        for topic, frame in self._held.drain():
            active.send(topic, frame)
        for topic, message in self._held.drain_latest():
            active.send(topic, self.numbering.frame(topic, message))


def open_hub(address: HubAddress, sender: str, clock: Clock, reads_in_thread: bool = False) -> HubTransport:
    """The transport that the configuration names, with the embedded hub beneath it; `start` connects.

    `reads_in_thread` where the event loop is Qt's.
    """
    from engine.streams.zeromq import ZeromqCarrier

    embedded = ZeromqCarrier(address, sender, reads_in_thread)
    sharing = address.sharing
    if sharing is None:
        return HubTransport(embedded, sender, clock)
    seal = Seal(sharing.keys, clock) if sharing.keys else None
    failover = Failover(sharing.hold_s, sharing.settle_s)
    return HubTransport(embedded, sender, clock, shared_carrier(sharing, sender, seal, reads_in_thread), seal, failover)


def shared_carrier(sharing: Sharing, sender: str, seal: Seal | None, reads_in_thread: bool = False) -> Carrier:
    if sharing.redis is not None:
        from engine.streams.redis import RedisCarrier

        return RedisCarrier(sharing.redis, sharing.namespace, sender, seal, reads_in_thread)
    from engine.streams.kafka import KafkaCarrier

    assert sharing.kafka is not None
    return KafkaCarrier(sharing.kafka, sharing.namespace, sender, seal)
