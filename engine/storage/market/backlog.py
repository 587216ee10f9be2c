"""What waits to be written, bounded: what is dropped or refused is counted, the dispensable goes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from engine.domain.market import NANOSECONDS
from engine.storage.market.chunks import pack
from engine.storage.market.rows import (
    KEYS,
    REVISIONS,
    Row,
    candle_rows,
    feed_rows,
    indicator_rows,
    quote_rows,
    refusal,
    revised_signal_rows,
    signal_rows,
)
from engine.streams.base import Delivery
from engine.streams.messages import Candles, FeedStatus, Indicators, Quotes, RevisedSignals, Signals

CHUNK = 1_000
"""Messages in one row of stream_messages."""
CHUNK_OPEN = 10 * NANOSECONDS
"""How long a chunk is filled at most; what a killed recorder loses of the raw messages."""
CHUNK_BYTES_KEPT = 64 * 1024 * 1024
MOST_ROWS = 200_000

DISPENSABLE = (
    "stream_messages",
    "system_metrics",
    "normalized_data",
    "technical_indicators",
    "realtime_candles",
    "processing_results",
)
"""In this order rows are dropped when too many wait."""

Batch = Mapping[str, Sequence[Row]]
"""Rows by table."""


class Backlog:
    """One row for each key of a table: what comes again replaces what still waits. Of quotes one a second and symbol.

    `writer` begins the ids of its chunks; it must never have been used before, or a chunk would replace another.
    """

    def __init__(self, writer: str, *, raw: bool = True, most_rows: int = MOST_ROWS) -> None:
        self.dropped: Counter[str] = Counter()
        """Rows lost because too many waited, by table."""
        self.refused: Counter[str] = Counter()
        """Rows that no database may be given, by reason."""
        self._writer = writer
        self._raw = raw
        self._most = most_rows
        self._chunks = 0
        self._chunk_bytes = 0
        self._open: dict[str, list[Delivery]] = {}
        self._opened: dict[str, int] = {}
        self._rows: dict[str, dict[Row, Row]] = {name: {} for name in KEYS}

    @property
    def waiting(self) -> int:
        """Rows; the chunks that are still being filled are none yet."""
        return sum(map(len, self._rows.values()))

    def take(self, batch: Iterable[Delivery], now: int) -> None:
        """`now` is wall time, int nanoseconds UTC."""
        for delivery in batch:
            self._take(delivery, now)
        self._drop_excess()

    def add(self, table: str, rows: Iterable[Row], now: int) -> None:
        kept = self._rows[table]
        revision = REVISIONS.get(table)
        for row in rows:
            if reason := refusal(table, row, now):
                self.refused[reason] += 1
                continue
            place = _place(table, row)
            if revision is None or place not in kept or kept[place][revision] <= row[revision]:  # type: ignore[operator]
                kept[place] = row

    def cut(self, now: int, *, last: bool = False) -> dict[str, list[Row]]:
        """Everything that waits, chunks in the making only when they are old enough or this is the last time.

        The caller gives it back when it could not be written.
        """
        for topic in [topic for topic, since in self._opened.items() if last or now - since >= CHUNK_OPEN]:
            self._close_chunk(topic, now)
        taken = {name: list(rows.values()) for name, rows in self._rows.items() if rows}
        self._rows = {name: {} for name in KEYS}
        self._chunk_bytes = 0
        return taken

    def give_back(self, batch: Batch, now: int) -> None:
        """Rows that came meanwhile stay the newer ones."""
        for table, rows in batch.items():
            newer, self._rows[table] = self._rows[table], {}
            self.add(table, rows, now)
            self.add(table, newer.values(), now)
        self._chunk_bytes = _bytes(self._rows["stream_messages"].values())
        self._drop_excess()

    def _take(self, delivery: Delivery, now: int) -> None:
        message = delivery.message
        if isinstance(message, Candles):
            self.add("realtime_candles", candle_rows(message.bars), now)
        elif isinstance(message, Quotes):
            self.add("normalized_data", quote_rows(message.quotes), now)
        elif isinstance(message, Indicators) and not message.past:
            self.add("technical_indicators", indicator_rows(message), now)
        elif isinstance(message, Signals):
            self.add("processing_results", signal_rows(message.signals), now)
        elif isinstance(message, RevisedSignals):
            self.add("processing_results", revised_signal_rows(message.signals), now)
        elif isinstance(message, FeedStatus):
            self.add("system_metrics", feed_rows(message, delivery.sent_at), now)
        if self._raw:
            self._keep_raw(delivery, now)

    def _keep_raw(self, delivery: Delivery, now: int) -> None:
        chunk = self._open.setdefault(delivery.topic, [])
        self._opened.setdefault(delivery.topic, now)
        chunk.append(delivery)
        if len(chunk) >= CHUNK:
            self._close_chunk(delivery.topic, now)

    def _close_chunk(self, topic: str, now: int) -> None:
        chunk = self._open.pop(topic)
        del self._opened[topic]
        self._chunks += 1
        sent = [delivery.sent_at for delivery in chunk]
        body = pack(chunk)
        name = f"{self._writer}-{self._chunks:08d}"
        self._chunk_bytes += len(body)
        self.add("stream_messages", [(now, name, topic, len(chunk), min(sent), max(sent), body)], now)

    def _drop_excess(self) -> None:
        while self._chunk_bytes > CHUNK_BYTES_KEPT:
            self._drop("stream_messages", 1)
        excess = self.waiting - self._most
        for table in DISPENSABLE:
            if excess <= 0:
                return
            excess -= len(self._drop(table, excess))

    def _drop(self, table: str, count: int) -> list[Row]:
        """The oldest."""
        rows = self._rows[table]
        if not rows:
            return []
        gone = [rows.pop(key) for key in list(islice(rows, count))]
        self.dropped[table] += len(gone)
        if table == "stream_messages":
            self._chunk_bytes -= _bytes(gone)
        return gone


def _place(table: str, row: Row) -> Row:
    """Of two rows at the same place the later one is kept: the same key, or a quote of the same symbol and second."""
    if table == "normalized_data":
        return row[1], row[0] // NANOSECONDS  # type: ignore[operator]
    return tuple(row[index] for index in KEYS[table])


def _bytes(chunks: Iterable[Row]) -> int:
    return sum(len(row[-1]) for row in chunks if isinstance(row[-1], bytes))
