"""The six tables of the market database, as SQLAlchemy Core: their columns, keys and how a row replaces another.

All times are int nanoseconds UTC. Every key holds `timestamp`, by which PostgreSQL partitions and TimescaleDB chunks.
Imported by the recorder and by `paddock db`, never at the start of the console: SQLAlchemy costs a second.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Double, Index, Integer, LargeBinary, MetaData, Table, Text, text

metadata = MetaData()


def _key(name: str, kind: Any = Text) -> Column[Any]:
    return Column(name, kind, primary_key=True, nullable=False, autoincrement=False)


def _required(name: str, kind: Any = Double, default: str | None = None) -> Column[Any]:
    return Column(name, kind, nullable=False, server_default=None if default is None else text(default))


def _table(name: str, *columns: Column[Any], by_time: bool = True, rowid: bool = False) -> Table:
    """`by_time` when the key does not begin with the time, so that expiry needs an index of its own."""
    extra = [Index(f"{name}_timestamp", "timestamp")] if by_time else []
    return Table(
        name, metadata, *columns, *extra, sqlite_with_rowid=rowid, postgresql_partition_by='RANGE ("timestamp")'
    )


stream_messages = _table(
    "stream_messages",
    _key("timestamp", BigInteger),
    _key("chunk_id"),
    _required("topic", Text),
    _required("messages", Integer),
    _required("first_sent_at", BigInteger),
    _required("last_sent_at", BigInteger),
    _required("body", LargeBinary),
    by_time=False,
    rowid=True,
)
"""What came over the hub, as it came: a row holds up to a thousand messages of one topic (see chunks.py)."""

normalized_data = _table(
    "normalized_data",
    _key("timestamp", BigInteger),
    _key("symbol"),
    *(Column(name, Double) for name in ("last", "bid", "ask", "bid_size", "ask_size", "day_volume")),
    by_time=False,
)
"""The state of a symbol after the normaliser, thinned to the last one of each second."""

realtime_candles = _table(
    "realtime_candles",
    _key("symbol"),
    _key("timeframe"),
    _key("timestamp", BigInteger),
    *(_required(name) for name in ("open", "high", "low", "close", "volume")),
    _required("trade_count", BigInteger, "0"),
    _required("vwap", Double, "0"),
    _required("revision", Integer, "0"),
)
"""Closed bars; a bar of a higher or equal revision replaces the one before."""

technical_indicators = _table(
    "technical_indicators",
    _key("symbol"),
    _key("timeframe"),
    _key("name"),
    _key("timestamp", BigInteger),
    _required("value"),
)

system_metrics = _table(
    "system_metrics",
    _key("timestamp", BigInteger),
    _key("process"),
    _key("name"),
    _required("value"),
    by_time=False,
)

processing_results = _table(
    "processing_results",
    _key("timestamp", BigInteger),
    _key("result_id"),
    _required("kind", Text),
    *(_required(name, Text) for name in ("sleeve", "strategy", "symbol")),
    *(_required(name) for name in ("weight", "confidence", "price")),
    _required("as_of", BigInteger),
    _required("reason", Text, "''"),
    by_time=False,
)
"""What came of the data: the signals of the bots."""

TABLES: dict[str, Table] = dict(metadata.tables)


def columns_of(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def upsert(table: Table, dialect: str, source: str | None = None) -> str:
    """The SQL that adds rows given by place, or from the table `source`, and replaces what has the same key.

    A row that has a revision replaces only the same or an older one.
    """
    columns, keys = columns_of(table), [column.name for column in table.primary_key.columns]
    quoted = ", ".join(f'"{name}"' for name in columns)
    rest = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in keys)
    order = ", ".join(f'"{key}"' for key in keys)
    newest = f" WHERE excluded.revision >= {table.name}.revision" if "revision" in columns else ""
    if source is None:
        marks = ", ".join("?" if dialect == "sqlite" else f"${place}" for place in range(1, len(columns) + 1))
        rows = f"VALUES ({marks})"
    else:
        latest = ", revision DESC" if "revision" in columns else ""
        rows = f"SELECT DISTINCT ON ({order}) {quoted} FROM {source} ORDER BY {order}{latest}"
    return f"INSERT INTO {table.name} ({quoted}) {rows} ON CONFLICT ({order}) DO UPDATE SET {rest}{newest}"
