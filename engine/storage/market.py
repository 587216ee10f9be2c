"""The market database: closed candles, signals and a thinned record of quotes, in SQLite.

WAL with synchronous=NORMAL: a power cut may cost the last second, never the file. One thread writes, in batches. When
the disk is full or the file is locked, rows wait, bounded; what does not fit is counted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.domain.errors import DataError
from engine.domain.market import Bar
from engine.streams.messages import QuoteState, Signal

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS bars (
    symbol TEXT, timeframe TEXT, timestamp INTEGER, open REAL, high REAL, low REAL, close REAL, volume REAL,
    trade_count INTEGER, vwap REAL, PRIMARY KEY (symbol, timeframe, timestamp)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quotes (
    symbol TEXT, timestamp INTEGER, bid REAL, ask REAL, bid_size REAL, ask_size REAL, last REAL,
    PRIMARY KEY (symbol, timestamp)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS signals (
    signal_id TEXT PRIMARY KEY, sleeve TEXT, strategy TEXT, symbol TEXT, weight REAL, confidence REAL, price REAL,
    as_of INTEGER, made_at INTEGER, reason TEXT
) WITHOUT ROWID;
"""
BUSY_TIMEOUT = 2.0


class MarketDatabase:
    """Not thread-safe: open and use it in one thread."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=BUSY_TIMEOUT, check_same_thread=False)
            self._database.executescript(SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise DataError(
                f"The market database {path} cannot be opened: {error}.",
                "It holds market data only: move it aside and a new one is made.",
            ) from error

    def write(self, bars: Sequence[Bar], quotes: Sequence[QuoteState], signals: Sequence[Signal]) -> int:
        """All or nothing; how many rows. A bar that comes again replaces the one before. Raises sqlite3.Error."""
        with self._database as database:
            database.executemany(
                "INSERT OR REPLACE INTO bars VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (b.symbol, b.timeframe.value, b.timestamp, b.open, b.high, b.low, b.close, b.volume,
                     b.trade_count, b.vwap)
                    for b in bars
                ),
            )  # fmt: skip
            database.executemany(
                "INSERT OR REPLACE INTO quotes VALUES (?, ?, ?, ?, ?, ?, ?)",
                ((q.symbol, q.timestamp, q.bid, q.ask, q.bid_size, q.ask_size, q.last) for q in quotes),
            )
            database.executemany("INSERT OR IGNORE INTO signals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _rows(signals))
        return len(bars) + len(quotes) + len(signals)

    def close(self) -> None:
        self._database.close()


def _rows(signals: Iterable[Signal]) -> Iterable[tuple[object, ...]]:
    for s in signals:
        yield (
            s.signal_id, s.sleeve, s.strategy, s.symbol, s.weight, s.confidence, s.price, s.as_of, s.made_at, s.reason,
        )  # fmt: skip
