"""Tables that keep the last row per key and remember for each reader what changed.

The engine writes rows as things happen; a window drains the changes at its own pace, so ten thousand updates between
two frames cost one repaint.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Row = TypeVar("Row")


class Table(Generic[Row]):
    """The last row per key, bounded, with a set of changed keys for each reader.

    When `capacity` is passed the oldest key is dropped and counted in `dropped`. Not thread-safe: the engine and its
    readers share one event loop.
    """

    def __init__(self, capacity: int = 10_000) -> None:
        self.capacity = capacity
        self.dropped = 0
        self._rows: dict[str, Row] = {}
        self._readers: list[TableReader[Row]] = []

    def put(self, key: str, row: Row) -> None:
        if key not in self._rows and len(self._rows) >= self.capacity:
            self.remove(next(iter(self._rows)))
            self.dropped += 1
        self._rows[key] = row
        for reader in self._readers:
            reader.changed[key] = None

    def remove(self, key: str) -> None:
        if self._rows.pop(key, None) is not None:
            for reader in self._readers:
                reader.changed[key] = None

    def get(self, key: str) -> Row | None:
        return self._rows.get(key)

    def values(self) -> Iterable[Row]:
        return self._rows.values()

    def keys(self) -> Iterable[str]:
        return self._rows.keys()

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def reader(self) -> TableReader[Row]:
        """A new reader, which first sees every row that is there."""
        reader = TableReader(self)
        reader.changed.update(dict.fromkeys(self._rows))
        self._readers.append(reader)
        return reader

    def detach(self, reader: TableReader[Row]) -> None:
        self._readers.remove(reader)


class TableReader(Generic[Row]):
    def __init__(self, table: Table[Row]) -> None:
        self._table = table
        self.changed: dict[str, None] = {}

    def drain(self) -> tuple[dict[str, Row], list[str]]:
        """The rows changed or added since the last call, and the keys removed."""
        if not self.changed:
            return {}, []
        changed, self.changed = self.changed, {}
        rows: dict[str, Row] = {}
        gone: list[str] = []
        for key in changed:
            row = self._table.get(key)
            if row is None:
                gone.append(key)
            else:
                rows[key] = row
        return rows, gone
