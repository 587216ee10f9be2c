"""A bounded table in memory: typed columns in order of time, which grow at the end and lose their oldest rows."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import MutableSequence
from typing import Any


class Columns:
    """`codes` names the columns' types as the array module does, with O for any object; the first is int64 time.

    At most `limit` rows and a quarter more are kept; `dropped` counts the rest.
    """

    def __init__(self, codes: str, limit: int) -> None:
        self.columns: list[MutableSequence[Any]] = [[] if code == "O" else array(code) for code in codes]
        self._appends = [column.append for column in self.columns]
        self._limit = limit
        self.dropped = 0

    def __len__(self) -> int:
        return len(self.columns[0])

    def append(self, *row: object) -> None:
        # Not strict: the check costs a tenth of a replay, and every caller writes its row out.
        for append, value in zip(self._appends, row):  # noqa: B905
            append(value)
        if len(self.columns[0]) > self._limit * 5 // 4:
            self._trim()

    def insert(self, *row: Any) -> None:
        """Put a row that comes late behind those of its time."""
        place = bisect_right(self.columns[0], row[0])
        for column, value in zip(self.columns, row, strict=True):
            column.insert(place, value)
        if len(self) > self._limit * 5 // 4:
            self._trim()

    def replace(self, index: int, *row: Any) -> None:
        for column, value in zip(self.columns, row, strict=True):
            column[index] = value

    def remove(self, index: int) -> None:
        for column in self.columns:
            del column[index]

    def row(self, index: int) -> tuple[Any, ...]:
        return tuple(column[index] for column in self.columns)

    def span(self, start: int, end: int) -> range:
        """The rows whose time is in [start, end]."""
        times = self.columns[0]
        return range(bisect_left(times, start), bisect_right(times, end))

    def holds(self, start: int) -> bool:
        """Whether every row from time `start` on is still here."""
        return not self.dropped or (len(self) > 0 and self.columns[0][0] < start)

    def _trim(self) -> None:
        surplus = len(self) - self._limit
        for column in self.columns:
            del column[:surplus]
        self.dropped += surplus
