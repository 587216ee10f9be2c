"""The desk for incident cards: shown at once, written soon, and those of earlier runs shown again at the next start."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections import deque
from pathlib import Path

import msgspec

from engine.clock import Clock
from engine.domain.errors import DataError
from engine.domain.incidents import Incident, IncidentKind
from engine.processes.states import ProcessState
from engine.storage.incidents import CAPACITY, IncidentFile
from engine.tables import Table
from engine.views import IncidentRow, ProcessSample

log = logging.getLogger(__name__)


class IncidentDesk:
    """`take` never blocks. When the disk fails, the newest stay in memory and are written with the next."""

    def __init__(self, path: Path, table: Table[IncidentRow], clock: Clock) -> None:
        self._path = path
        self._table = table
        self._clock = clock
        self._unwritten: deque[Incident] = deque(maxlen=CAPACITY)
        self._file: IncidentFile | None = None
        self._writing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Trading does not wait for it: without the file, cards are shown and not kept."""
        try:
            self._file, known = await asyncio.to_thread(_open, self._path)
        except (DataError, sqlite3.Error) as error:
            log.warning("incidents are not kept in this run: %s", error)
            return
        for incident in known:
            self._show(incident)

    async def close(self) -> None:
        if self._writing is not None:
            await self._writing
        if self._file is not None:
            file, self._file = self._file, None
            await asyncio.to_thread(file.close)

    def take(self, incident: Incident, error: str) -> None:
        """`error` is the fingerprint of its group among the errors."""
        incident = msgspec.structs.replace(incident, error=error)
        self._show(incident)
        self._unwritten.append(incident)
        if self._file is not None and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write(self._file), name="incidents")

    async def _write(self, file: IncidentFile) -> None:
        while self._unwritten:
            try:
                await asyncio.to_thread(file.keep, self._unwritten[0])
            except sqlite3.Error as error:
                log.warning("an incident cannot be written; it is tried again with the next: %s", error)
                return
            self._unwritten.popleft()

    def _show(self, incident: Incident) -> None:
        self._table.put(incident.key, row_of(incident, self._clock))


def row_of(incident: Incident, clock: Clock) -> IncidentRow:
    """For display; the times of its figures as if this computer had run all the while."""
    died = clock.monotonic() - (clock.now() - incident.timestamp) / 1e9
    given_up = incident.state == ProcessState.FATAL
    return IncidentRow(
        key=incident.key,
        timestamp=incident.timestamp,
        process=incident.process,
        kind="given up" if given_up and incident.kind is not IncidentKind.STUCK else incident.kind.value,
        ending=incident.reason,
        cause=incident.cause,
        remedy=incident.remedy,
        lived_s=incident.lived,
        restarts_left=incident.restarts_left,
        tail=list(incident.tail),
        history=[
            ProcessSample(died + figures.before, figures.cpu_percent, figures.rss_bytes, figures.rate)
            for figures in incident.history
        ],
        fingerprint=incident.error,
    )


def _open(path: Path) -> tuple[IncidentFile, list[Incident]]:
    """A file that cannot be read is set aside."""
    try:
        file = IncidentFile(path)
        return file, file.incidents()
    except (DataError, sqlite3.Error) as error:
        log.warning("%s It is set aside.", error)
        for one in path.parent.glob(f"{path.name}*"):
            one.replace(one.with_name(f"damaged-{one.name}"))
        file = IncidentFile(path)
        return file, file.incidents()
