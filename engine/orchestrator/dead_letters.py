"""The desk for events that a part of the engine could not take: stored, shown, delivered again or discarded."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from engine.bus import DeadLetter
from engine.clock import Clock
from engine.domain.errors import DataError, PaddockError
from engine.domain.events import Event, ExecutionEvent, OrderEvent, RiskEvent, SignalEvent, SystemEvent
from engine.storage.dead_letters import CAPACITY, DeadLetterFile, StoredLetter
from engine.tables import Table
from engine.views import DeadLetterRow

log = logging.getLogger(__name__)

T = TypeVar("T")
Redeliver = Callable[[Event, str], Awaitable[None]]


class DeadLetterDesk:
    """`take` never blocks: what it takes is shown at once and written soon, in one transaction for all that waits.

    When the disk fails, up to a thousand letters stay in memory and are written with the next.
    """

    def __init__(self, path: Path, table: Table[DeadLetterRow], clock: Clock) -> None:
        self.lost = 0
        """Letters that fitted neither on the disk nor in memory."""
        self._path = path
        self._table = table
        self._clock = clock
        self._unwritten: dict[str, tuple[DeadLetter, int]] = {}
        self._file: DeadLetterFile | None = None
        self._turn = asyncio.Lock()
        self._flushing = asyncio.Lock()
        self._writing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """A file that cannot be read is set aside; trading does not wait for it. Raises DataError or UnavailableError
        when none can be made.
        """
        self._file = await asyncio.to_thread(_open, self._path)
        for letter in await self._do(self._file.letters):
            self._show(letter)

    async def close(self) -> None:
        await self._try_to_write()
        if self._file is not None:
            await asyncio.to_thread(self._file.close)

    def take(self, letter: DeadLetter) -> None:
        now = self._clock.now()
        if len(self._unwritten) >= CAPACITY:
            del self._unwritten[next(iter(self._unwritten))]
            self.lost += 1
        self._unwritten[letter.key] = (letter, now)
        self._table.put(
            letter.key,
            DeadLetterRow(
                key=letter.key, timestamp=now, kind=type(letter.event).__name__, about=about(letter.event),
                handler=letter.handler, error=letter.error, detail=letter.detail, attempts=letter.attempts,
            ),
        )  # fmt: skip
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._try_to_write(), name="dead-letters")

    async def deliver(self, keys: Sequence[str], redeliver: Redeliver) -> None:
        """Each to its own handler, once. Raises DataError that names what could not be delivered, after trying all."""
        await self.flush()
        failed = [said for key in keys if (said := await self._deliver(key, redeliver))]
        if failed:
            raise DataError(
                f"{len(failed)} of {len(keys)} could not be delivered: {failed[0]}",
                "It is kept. Look at its error, and discard it when nobody needs it any more.",
            )

    async def discard(self, keys: Sequence[str]) -> None:
        """Raises DataError when the disk refuses."""
        await self.flush()
        await self._do(lambda: self._store.remove(keys))
        for key in keys:
            self._table.remove(key)

    async def _deliver(self, key: str, redeliver: Redeliver) -> str:
        """What went wrong, or nothing. A letter that somebody else is delivering is left to them."""
        letter = await self._do(lambda: self._store.claim(key))
        if letter is None:
            return ""
        self._show(letter)
        if letter.event is None:
            return await self._failed(letter, "this version of Paddock cannot read the event")
        try:
            await redeliver(letter.event, letter.handler)
        except PaddockError as error:
            return await self._failed(letter, error.message)
        except Exception as error:
            log.warning("%s failed again", letter.handler, exc_info=error)
            return await self._failed(letter, f"{type(error).__name__}: {error}")
        await self._do(lambda: self._store.remove([key]))
        self._table.remove(key)
        return ""

    async def _failed(self, letter: StoredLetter, said: str) -> str:
        await self._do(lambda: self._store.release(letter.key, said, self._clock.now()))
        self._show(next(one for one in await self._do(self._store.letters) if one.key == letter.key))
        return said

    async def flush(self) -> None:
        """Write all that waits, and what comes meanwhile. Raises DataError when the disk refuses; nothing is lost then."""
        async with self._flushing:
            while self._unwritten and self._file is not None:
                batch = dict(self._unwritten)
                letters = list(batch.values())
                await self._do(lambda: self._store.keep(letters))  # noqa: B023  awaited at once
                for key, written in batch.items():
                    if self._unwritten.get(key) is written:
                        del self._unwritten[key]

    async def _try_to_write(self) -> None:
        try:
            await self.flush()
        except DataError as error:
            log.warning("%s They stay in memory until the next is written.", error.message)

    @property
    def _store(self) -> DeadLetterFile:
        if self._file is None:
            raise DataError("The undelivered events are not open yet.", "Try again when the engine runs.")
        return self._file

    async def _do(self, work: Callable[[], T]) -> T:
        async with self._turn:
            try:
                return await asyncio.to_thread(work)
            except sqlite3.Error as error:
                raise DataError(
                    f"The undelivered events cannot be written: {error}.", f"Free some room for {self._path}."
                ) from error

    def _show(self, letter: StoredLetter) -> None:
        self._table.put(
            letter.key,
            DeadLetterRow(
                key=letter.key, timestamp=letter.failed_at, kind=letter.kind, handler=letter.handler,
                about="" if letter.event is None else about(letter.event), error=letter.error, detail=letter.detail,
                attempts=letter.attempts, state=letter.state,
            ),
        )  # fmt: skip


def _open(path: Path) -> DeadLetterFile:
    try:
        return DeadLetterFile(path)
    except DataError as error:
        log.warning("%s It is set aside.", error.message)
        for one in path.parent.glob(f"{path.name}*"):
            one.replace(one.with_name(f"damaged-{one.name}"))
        return DeadLetterFile(path)


def about(event: Event) -> str:
    """The event in a few words."""
    match event:
        case OrderEvent(order=order):
            return f"{order.side} {order.quantity} {order.symbol}: {order.status} ({order.client_order_id})"
        case ExecutionEvent(fill=fill):
            return f"{fill.side} {fill.quantity} {fill.symbol} at {fill.price} ({fill.execution_id})"
        case RiskEvent() | SystemEvent():
            return event.message
        case SignalEvent():
            return f"{event.sleeve}: {event.symbol} to {event.weight:g}"
        case _:
            return ""
