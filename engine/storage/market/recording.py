"""The recorder's work: takes what the hub delivers, writes it in batches, and says how it goes.

A database that is away costs nothing at first: rows wait in the bounded backlog, the next attempt comes later each time,
and what had to be dropped is counted and told when it is back. Nothing here ever holds up the feed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from engine.clock import Clock
from engine.domain.errors import UnavailableError
from engine.storage.market.address import MarketAddress
from engine.storage.market.backlog import Backlog
from engine.storage.market.rows import metric_rows
from engine.storage.market.store import Store
from engine.storage.market.writing import write_what_can_be
from engine.streams.base import Delivery
from engine.streams.messages import RecorderStatus

log = logging.getLogger("recorder")

WRITE_EVERY = 1.0
LONGEST_PAUSE = 30.0
"""Between two attempts to reach a database that is away."""
EXPIRE_EVERY = 3_600.0
MEASURE_EVERY = 30.0
METRICS_EVERY = 10.0
RATE_OVER = 10.0
"""Seconds of writing that the rate shown is the mean of."""


class Recording:
    """Driven by the worker: `take` for what comes, `step` about once a second."""

    def __init__(
        self, address: MarketAddress, store: Store, clock: Clock, days: Mapping[str, int], *, raw: bool = True
    ) -> None:
        """`days` that the rows of each table are kept, 0 = for ever; `raw` for stream_messages."""
        self.backlog = Backlog(f"{clock.now():x}", raw=raw)
        self.rows = 0
        """Written, all tables."""
        self.hub_lost = 0
        """Messages that the hub or the reader's queue lost; the worker counts them."""
        self.error = ""
        self._address = address
        self._store = store
        self._clock = clock
        self._days = days
        self._is_open = False
        self._pause = WRITE_EVERY
        self._waiting_since: float | None = None
        self._lag = 0.0
        self._size = 0
        self._rate, self._rate_rows, self._rate_since = 0.0, 0, clock.monotonic()
        self._told_lost = 0
        self._expire_at = clock.monotonic()
        self._metrics_at = clock.monotonic()
        self._measure_at = clock.monotonic()

    @property
    def pause(self) -> float:
        """Seconds until the next step."""
        return self._pause

    @property
    def lost(self) -> int:
        return self.backlog.dropped.total() + self.hub_lost

    def take(self, batch: list[Delivery]) -> None:
        if self._waiting_since is None:
            self._waiting_since = self._clock.monotonic()
        self.backlog.take(batch, self._clock.now())

    async def step(self, *, last: bool = False) -> int:
        """Writes what waits, with `last` also chunks in the making; how many rows. Raises DataError or CredentialsError, which waiting does not mend."""
        try:
            if not self._is_open:
                await self._store.open()
                self._is_open = True
            written = await self._write(last)
            await self._expire()
            await self._measure()
        except UnavailableError as error:
            self._away(error)
            return 0
        self._back()
        return written

    async def finish(self) -> None:
        """One last attempt for what still waits, then the database is closed."""
        if self._is_open:
            await self.step(last=True)
        if left := self.backlog.waiting:
            log.warning("%d rows were not written to the market database before the end.", left)
        await self._store.close()

    def status(self) -> RecorderStatus:
        now = self._clock.monotonic()
        if now - self._rate_since >= RATE_OVER:
            self._rate = (self.rows - self._rate_rows) / (now - self._rate_since)
            self._rate_rows, self._rate_since = self.rows, now
        waited = 0.0 if self._waiting_since is None else now - self._waiting_since
        return RecorderStatus(
            database=self._address.shown,
            rows=self.rows,
            row_rate=self._rate,
            lag=max(self._lag, waited) if self.error else self._lag,
            waiting=self.backlog.waiting,
            dropped=self.lost,
            refused=self.backlog.refused.total(),
            size_bytes=self._size,
            error=self.error,
        )

    async def _write(self, last: bool) -> int:
        now, since = self._clock.now(), self._waiting_since
        self._add_metrics()
        batch = self.backlog.cut(now, last=last)
        self._waiting_since = None
        if not batch:
            return 0
        try:
            written, refused = await write_what_can_be(self._store, batch)
        except UnavailableError:
            self.backlog.give_back(batch, now)
            self._waiting_since = since
            raise
        self.backlog.refused["the database"] += refused
        self.rows += written
        self._lag = 0.0 if since is None else self._clock.monotonic() - since
        return written

    def _add_metrics(self) -> None:
        if self._clock.monotonic() < self._metrics_at:
            return
        self._metrics_at = self._clock.monotonic() + METRICS_EVERY
        now, refused = self._clock.now(), self.backlog.refused.total()
        figures = metric_rows("recorder", now, rows=self.rows, dropped=self.lost, refused=refused, lag=self._lag)
        self.backlog.add("system_metrics", figures, now)

    async def _expire(self) -> None:
        if self._clock.monotonic() < self._expire_at:
            return
        gone = await self._store.expire(self._days, self._clock.now())
        if gone:
            told = ", ".join(f"{rows:,} of {table}" for table, rows in gone.items())
            log.info("Removed from the market database what was older than the days kept: %s.", told)
            return  # there may be more, and the recorder has rows to write between
        self._expire_at = self._clock.monotonic() + EXPIRE_EVERY

    async def _measure(self) -> None:
        if self._clock.monotonic() >= self._measure_at:
            self._size = await self._store.size()
            self._measure_at = self._clock.monotonic() + MEASURE_EVERY

    def _away(self, error: UnavailableError) -> None:
        if not self.error:
            log.warning("%s", error.message, extra={"remedy": error.remedy, "category": "data"})
            self._pause = WRITE_EVERY / 2
        self.error = error.message
        self._pause = min(self._pause * 2, LONGEST_PAUSE)

    def _back(self) -> None:
        self._pause = WRITE_EVERY
        was_away, self.error = bool(self.error), ""
        new = self.lost - self._told_lost
        if was_away:
            log.warning("The market database can be written again; %d rows were lost meanwhile.", new)
        elif new:
            log.warning(
                "The recorder could not keep up: %d rows were lost.",
                new,
                extra={"remedy": "Record fewer symbols, or put the database on a faster disk.", "category": "data"},
            )
        self._told_lost = self.lost
