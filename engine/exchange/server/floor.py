"""What the routes and streams share: the venue, its time, who may enter, and the order commit first, publish then."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import sqlite3
import uuid
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from engine.domain.errors import UnavailableError
from engine.exchange.changes import Changes, Notice
from engine.exchange.desk import Desk
from engine.exchange.keeper import Keeper
from engine.exchange.refusals import unauthorized
from engine.exchange.server.lag import ReadLag
from engine.exchange.server.options import ExchangeOptions
from engine.exchange.server.switchboard import Faults
from engine.exchange.store import Store
from engine.exchange.venue import Venue
from engine.exchange.venue_clock import VenueClock

MAX_KEY = 128
MICROSECOND = 1_000
"""What alpaca-py cuts times to."""
_NAMESPACE = uuid.UUID("6f0b8d5e-55b5-4f1c-9d3a-0f6f2f3f7a11")


class Counters(msgspec.Struct):
    """For heartbeats; counted since the start."""

    steps: int = 0
    """Of the market; they go on when nobody listens and when the recording has ended."""
    requests: int = 0
    refused: int = 0
    messages: int = 0
    frames: int = 0
    conflated: int = 0
    """Quotes that a client which fell behind was not sent, because newer ones replaced them."""
    slow_clients: int = 0
    failures: int = 0


class Floor:
    def __init__(
        self,
        options: ExchangeOptions,
        venue: Venue,
        clock: VenueClock,
        faults: Faults,
        store: Store,
        counters: Counters,
    ) -> None:
        self.options = options
        self.venue = venue
        self.clock = clock
        self.faults = faults
        self.counters = counters
        self.store = store
        self._stamp = max((desk.newest_submission for desk in venue.desks.values()), default=0)
        self._keeper = Keeper(store, venue.desks)
        self.failure: UnavailableError | None = None
        """What kept the state from being written."""
        self._commit_lock = asyncio.Lock()
        self._listeners: list[Callable[[list[Notice]], None]] = []
        self.shown: dict[str, Callable[[Desk], Any]] = {}
        """What the routes answer for a desk now, by name; a route enters itself here so that it can lag."""
        self.lag: ReadLag | None = None
        faults.watch("lag", self.set_lag)

    def on_notices(self, listener: Callable[[list[Notice]], None]) -> None:
        """`listener` is given every order update once it is durable."""
        self._listeners.append(listener)

    def forget_listeners(self) -> None:
        self._listeners.clear()

    def set_lag(self) -> None:
        """Begin to show the past, or end it, as the armed faults say."""
        armed = self.faults.read_lag
        if armed is None:
            self.lag = None
        elif self.lag is None or self.lag.armed is not armed:
            self.lag = ReadLag(armed, self.venue.desks, self.shown, self.monotonic())

    @staticmethod
    def monotonic() -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> int:
        """Venue time, as far as the market has run: an order never meets a quote that is older than itself."""
        return self.venue.now

    def stamp(self) -> int:
        """The time of an order: venue time, a microsecond from the one before, so that lists can be paged by it."""
        self._stamp = max(self.venue.now, self._stamp + MICROSECOND)
        return self._stamp

    def account_id(self, key: str, secret: str) -> str:
        """The account of a key pair. Raises Refusal for keys that are missing, too long or not the configured ones."""
        if not key or not secret or len(key) > MAX_KEY or len(secret) > MAX_KEY:
            raise unauthorized()
        keys = self.options.keys
        if keys is not None and not hmac.compare_digest(_bytes(keys.get(key, "")), _bytes(secret)):
            raise unauthorized()
        return _account_id(key, secret)

    def enter(self, key: str, secret: str) -> Desk:
        return self.venue.desk(self.account_id(key, secret), self.now())

    async def commit(self) -> None:
        """Make everything that changed durable, then publish it. Publication keeps the order of events.

        Raises UnavailableError when it cannot be written, from then on always.
        """
        if not self.store.is_durable:
            changes = self.venue.books.take_changes()
            self._publish(changes)
            if self._keeper.is_concerned(changes):
                async with self._commit_lock:
                    await self._write(changes)
            return
        async with self._commit_lock:
            if self.failure is not None:
                raise self.failure
            if changes := self.venue.books.take_changes():
                await self._write(changes)
                self._publish(changes)

    def _publish(self, changes: Changes) -> None:
        if self.lag is not None:
            self.lag.note(changes, self.monotonic())
        if changes.notices:
            for listener in self._listeners:
                listener(changes.notices)

    async def _write(self, changes: Changes) -> None:
        """What cannot be kept must not be told: the exchange ends here, and begins again from what it has kept."""
        try:
            await self._keeper.keep(changes)
        except (sqlite3.Error, OSError) as error:
            self.failure = UnavailableError(
                f"The exchange cannot keep its state in {self.store.path}: {error}.",
                "Make room on that disk, or see who else uses the file; then start the exchange again.",
            )
            raise self.failure from error


@lru_cache(maxsize=1024)
def _account_id(key: str, secret: str) -> str:
    digest = hashlib.sha256(_bytes(f"{key}\0{secret}")).hexdigest()
    return str(uuid.uuid5(_NAMESPACE, digest))


def _bytes(text: str) -> bytes:
    """Headers may carry bytes that are not UTF-8; they are no key, and no reason to fail either."""
    return text.encode("utf-8", "surrogateescape")
