"""Bars of years on disk or in a bucket: read by symbol and time, joined on writing, verified, compacted.

Two processes may write at once: a file is replaced whole, so the worst is that one of them has to read its bars from
the broker again. A file that is damaged is put aside and counts as absent.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator

import msgspec

from engine.domain.errors import DataError
from engine.domain.market import Timeframe
from engine.domain.spans import Span, joined, within
from engine.storage.lake.objects import ObjectStore
from engine.storage.lake.parts import Part, Row, decode, encode
from engine.storage.lake.periods import Period, period_of, periods

log = logging.getLogger(__name__)

DAMAGED = ".damaged"


class Checked(msgspec.Struct, frozen=True):
    """A file that was looked at; `problem` is empty when it is good."""

    place: str
    rows: int
    problem: str = ""


class Compacted(msgspec.Struct, frozen=True):
    place: str
    files: int
    """That became one."""
    rows: int


class Lake:
    """No method is for the event loop. All raise what the ObjectStore does."""

    def __init__(self, store: ObjectStore) -> None:
        self.damaged = 0
        """Files that were put aside."""
        self._store = store
        self._writing = threading.Lock()
        self._swept = False

    def read(self, symbol: str, timeframe: Timeframe, spans: Iterable[Span]) -> tuple[list[Row], list[Span]]:
        """Rows within `spans`, oldest first, and for which of these stretches the lake vouches."""
        wanted = joined(spans)
        if not wanted:
            return [], []
        rows: dict[int, Row] = {}
        covered: list[Span] = []
        for period in self._stored(symbol, timeframe):
            if within([Span(period.start, period.end)], wanted) and (part := self._part(period)) is not None:
                _join(rows, part.rows)
                covered += part.covered
        inside = [rows[at] for at in sorted(rows) if any(span.start <= at < span.end for span in wanted)]
        return inside, within(covered, wanted)

    def write(self, symbol: str, timeframe: Timeframe, rows: Iterable[Row], covered: Iterable[Span]) -> int:
        """Join these to what is there, and cover these stretches. How many files were written."""
        rows, covered = list(rows), joined(covered)
        files = 0
        with self._writing:
            self._sweep()
            for period in _touched(symbol, timeframe, rows, covered):
                old = self._part(period) or Part(period)
                new = old.joined_with(rows, covered)
                if new != old:
                    self._store.write(period.name, encode(new))
                    files += 1
        return files

    def _sweep(self) -> None:
        """Before the first write of this process, because only writers leave something and reading shall not wait."""
        if not self._swept:
            self._swept = True
            if swept := self._store.sweep():
                log.info("%d unfinished files of killed writers were removed from the lake", swept)

    def verify(self) -> Iterator[Checked]:
        """Each file in order of its name, read whole; changes nothing."""
        for name in self._store.names(""):
            place = self._store.place(name)
            period = period_of(name)
            if period is None:
                yield Checked(place, 0, "is not a file of the lake" if not name.endswith(DAMAGED) else "was put aside")
                continue
            try:
                yield Checked(place, len(decode(period, self._store.read(name) or b"", place).rows))
            except DataError as error:
                yield Checked(place, 0, error.message)

    def compact(self, before: int) -> Iterator[Compacted]:
        """Make one file of the days of each month that ended by `before`, int nanoseconds UTC.

        The month is written first and its days are deleted after it, so a reader always finds the rows, and a run
        that was cut off is completed by the next. Raises DataError at a damaged file, before anything of its month changes.
        """
        with self._writing:
            self._sweep()
        months: dict[Period, list[Period]] = {}
        for name in self._store.names(""):
            period = period_of(name)
            if period is not None and (month := period.month) is not None and month.end <= before:
                months.setdefault(month, []).append(period)
        for month, days in months.items():
            yield self._compact(month, days)

    def _compact(self, month: Period, days: list[Period]) -> Compacted:
        with self._writing:
            part = self._read(month) or Part(month)
            for day in days:
                found = self._read(day) or Part(day)
                part = part.joined_with(found.rows, found.covered)
            self._store.write(month.name, encode(part))
            decode(month, self._store.read(month.name) or b"", self._store.place(month.name))
            for day in days:
                self._store.delete(day.name)
        return Compacted(self._store.place(month.name), len(days), len(part.rows))

    def _stored(self, symbol: str, timeframe: Timeframe) -> list[Period]:
        """Longer files first, so that a day written after its month was compacted is joined over it."""
        folder = Period(timeframe, symbol, "").name.rpartition("/")[0] + "/"
        found = [period for name in self._store.names(folder) if (period := period_of(name)) is not None]
        return sorted(found, key=lambda period: (len(period.label), period.label))

    def _read(self, period: Period) -> Part | None:
        content = self._store.read(period.name)
        return None if content is None else decode(period, content, self._store.place(period.name))

    def _part(self, period: Period) -> Part | None:
        try:
            return self._read(period)
        except DataError as error:
            self._put_aside(period, error)
            return None

    def _put_aside(self, period: Period, error: DataError) -> None:
        content = self._store.read(period.name)
        if content is not None:
            self._store.write(period.name + DAMAGED, content)
            self._store.delete(period.name)
        self.damaged += 1
        log.error("%s It was put aside.", error.message, extra={"remedy": error.remedy, "category": "data"})


def _join(rows: dict[int, Row], newer: Iterable[Row]) -> None:
    for row in newer:
        known = rows.get(row.bar.timestamp)
        if known is None or row.bar.revision >= known.bar.revision:
            rows[row.bar.timestamp] = row


def _touched(symbol: str, timeframe: Timeframe, rows: list[Row], covered: list[Span]) -> list[Period]:
    spans = [*covered, *(Span(row.bar.timestamp, row.bar.timestamp + 1) for row in rows)]
    found = {period: None for span in joined(spans) for period in periods(symbol, timeframe, span.start, span.end)}
    return list(found)
