"""What the venue told, on its way to the journal: nobody waits for it, and what the disk refuses is tried again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from engine.domain.orders import Fill, Order
from engine.storage.journal import Journal
from engine.storage.trail import Entry, Fact

log = logging.getLogger(__name__)

AGAIN = 1.0
"""Seconds after which what the disk refused is tried again."""

_Key = tuple[type[Entry], str]


class _Refusal:
    """`entry` is None for an order, which is written as it is by then."""

    def __init__(self, entry: Fill | Fact | None) -> None:
        self.entry = entry


class WriteBehind:
    """`newest` gives an order as it is by now: an older copy must not take the place of a newer one."""

    def __init__(self, journal: Journal, newest: Callable[[str], Order | None]) -> None:
        self._journal = journal
        self._newest = newest
        self._refused: dict[_Key, _Refusal] = {}
        self._trying = False

    def __len__(self) -> int:
        """Entries that the disk has refused so far."""
        return len(self._refused)

    def write(self, *entries: Entry) -> None:
        """All or none of them, durable some time later, and not before what the disk has refused so far."""

        def written(done: asyncio.Future[None]) -> None:
            if not done.cancelled() and (error := done.exception()) is not None:
                self._refuse(entries, error)

        if self._refused:
            self._keep(entries)
        else:
            self._journal.append_soon(*entries).add_done_callback(written)

    async def append(self, *entries: Entry) -> None:
        """Durable on return, and before them what the disk has refused so far: an order must not be sent that changes one
        of which only the memory knows. Raises OrderError; then none of it is there.
        """
        refused = dict(self._refused)
        await self._journal.append(*self._as_they_are(refused), *entries)
        self._is_written(refused)

    def _refuse(self, entries: tuple[Entry, ...], error: BaseException) -> None:
        if self._journal.is_closed:
            log.error("%s", error)
            return
        if not self._refused:
            log.error("%s What the venue tells is kept in memory and written later.", error, exc_info=error)
        self._keep(entries)
        if not self._trying:
            self._trying = True
            asyncio.get_running_loop().call_later(AGAIN, self._write_again)

    def _keep(self, entries: tuple[Entry, ...]) -> None:
        for entry in entries:
            if isinstance(entry, Order):
                self._refused[Order, entry.client_order_id] = _Refusal(None)
            elif isinstance(entry, Fill):
                self._refused[Fill, entry.execution_id] = _Refusal(entry)
            else:
                self._refused[Fact, entry.key] = _Refusal(entry)

    def _write_again(self) -> None:
        """All that waits, in one commit; what is told meanwhile waits behind it."""
        refused = dict(self._refused)

        def written(done: asyncio.Future[None]) -> None:
            error = None if done.cancelled() else done.exception()
            if error is None:
                self._is_written(refused)
            elif self._journal.is_closed:
                log.error("%s", error)
            self._trying = bool(self._refused) and not self._journal.is_closed
            if self._trying:
                asyncio.get_running_loop().call_later(AGAIN if error else 0, self._write_again)

        self._journal.append_soon(*self._as_they_are(refused)).add_done_callback(written)

    def _is_written(self, refused: dict[_Key, _Refusal]) -> None:
        for key, refusal in refused.items():
            if self._refused.get(key) is refusal:  # not refused again meanwhile
                del self._refused[key]

    def _as_they_are(self, refused: dict[_Key, _Refusal]) -> list[Entry]:
        """By now; without orders that were forgotten meanwhile."""
        found = (refusal.entry or self._newest(key) for (_, key), refusal in refused.items())
        return [entry for entry in found if entry is not None]
