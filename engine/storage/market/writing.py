"""Writes a batch as far as the database will take it: a row that it will never take is found, counted and left out."""

from __future__ import annotations

from engine.storage.market.backlog import Batch
from engine.storage.market.store import RefusedRowsError, Store

MOST_REFUSED = 100
"""Single rows looked for in one batch; what is left of the batch then counts as refused with them."""


async def write_what_can_be(store: Store, batch: Batch) -> tuple[int, int]:
    """Rows written and rows refused. Raises UnavailableError with the batch not, or partly, written: give it again."""
    written = refused = 0
    parts: list[Batch] = [batch]
    while parts:
        part = parts.pop()
        try:
            written += await store.write(part)
        except RefusedRowsError:
            if _size(part) == 1 or refused >= MOST_REFUSED:
                refused += _size(part)
            else:
                parts += _halves(part)
    return written, refused


def _size(batch: Batch) -> int:
    return sum(map(len, batch.values()))


def _halves(batch: Batch) -> list[Batch]:
    """Two batches with all rows; the tables apart where there are several."""
    if len(batch) > 1:
        return [{table: rows} for table, rows in batch.items() if rows]
    ((table, rows),) = batch.items()
    middle = len(rows) // 2
    return [{table: rows[middle:]}, {table: rows[:middle]}]
