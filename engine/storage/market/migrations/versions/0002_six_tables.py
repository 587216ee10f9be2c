"""The six streaming tables; what the three old ones held moves into them, and back again on the way down.

On PostgreSQL they are partitioned by time, or hypertables where TimescaleDB is (see ../../timescale.py).
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import context, op

from engine.storage.market import timescale

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

OLD = ("bars", "quotes", "signals")
NEW = (
    "stream_messages",
    "normalized_data",
    "realtime_candles",
    "technical_indicators",
    "system_metrics",
    "processing_results",
)
# A detail that an old row lacks becomes 0 or empty, because the new columns have no NULL. An old bar without a price is
# none: SQLite wrote NaN as NULL.
UP = (
    "INSERT INTO realtime_candles (symbol, timeframe, timestamp, open, high, low, close, volume, trade_count, vwap)"
    " SELECT symbol, timeframe, timestamp, open, high, low, close,"
    " COALESCE(volume, 0), COALESCE(trade_count, 0), COALESCE(vwap, 0) FROM bars"
    " WHERE open IS NOT NULL AND high IS NOT NULL AND low IS NOT NULL AND close IS NOT NULL",
    "INSERT INTO normalized_data (timestamp, symbol, last, bid, ask, bid_size, ask_size)"
    " SELECT timestamp, symbol, last, bid, ask, bid_size, ask_size FROM quotes",
    "INSERT INTO processing_results (timestamp, result_id, kind, sleeve, strategy, symbol, weight, confidence, price,"
    " as_of, reason) SELECT COALESCE(made_at, 0), signal_id, 'signal', COALESCE(sleeve, ''), COALESCE(strategy, ''),"
    " COALESCE(symbol, ''), COALESCE(weight, 0), COALESCE(confidence, 0), COALESCE(price, 0), COALESCE(as_of, 0),"
    " COALESCE(reason, '') FROM signals",
)
DOWN = (
    "INSERT INTO bars SELECT symbol, timeframe, timestamp, open, high, low, close, volume, trade_count, vwap"
    " FROM realtime_candles",
    "INSERT INTO quotes SELECT symbol, timestamp, bid, ask, bid_size, ask_size, last FROM normalized_data",
    "INSERT INTO signals SELECT result_id, sleeve, strategy, symbol, weight, confidence, price, as_of, timestamp, reason"
    " FROM processing_results WHERE kind = 'signal' ON CONFLICT DO NOTHING",
)


def key(name: str, kind: Any = sa.Text) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, nullable=False, autoincrement=False)


def required(name: str, kind: Any = sa.Double, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, server_default=None if default is None else sa.text(default))


def create(name: str, *columns: sa.Column[Any], by_time: bool = False, rowid: bool = False) -> None:
    partitions: dict[str, Any] = (
        {} if context.config.attributes["timescale"] else {"postgresql_partition_by": 'RANGE ("timestamp")'}
    )
    op.create_table(name, *columns, sqlite_with_rowid=rowid, **partitions)
    if by_time:
        op.create_index(f"{name}_timestamp", name, ["timestamp"])


def upgrade() -> None:
    create_tables()
    if context.config.attributes["timescale"]:
        for statement in timescale.SETUP:
            op.execute(statement)
    if op.get_context().dialect.name == "sqlite":
        for statement in UP:
            op.execute(statement)
    # On PostgreSQL nothing was ever written into the old form.
    for name in OLD:
        op.execute(f"DROP TABLE {name}")


def create_tables() -> None:
    create(
        "stream_messages", key("timestamp", sa.BigInteger), key("chunk_id"), required("topic", sa.Text),
        required("messages", sa.Integer), required("first_sent_at", sa.BigInteger),
        required("last_sent_at", sa.BigInteger), required("body", sa.LargeBinary), rowid=True,
    )  # fmt: skip
    states = ("last", "bid", "ask", "bid_size", "ask_size", "day_volume")
    create(
        "normalized_data", key("timestamp", sa.BigInteger), key("symbol"),
        *(sa.Column(name, sa.Double) for name in states),
    )  # fmt: skip
    create(
        "realtime_candles", key("symbol"), key("timeframe"), key("timestamp", sa.BigInteger),
        *(required(name) for name in ("open", "high", "low", "close", "volume")),
        required("trade_count", sa.BigInteger, "0"), required("vwap", default="0"),
        required("revision", sa.Integer, "0"), by_time=True,
    )  # fmt: skip
    create(
        "technical_indicators", key("symbol"), key("timeframe"), key("name"), key("timestamp", sa.BigInteger),
        required("value"), by_time=True,
    )  # fmt: skip
    create("system_metrics", key("timestamp", sa.BigInteger), key("process"), key("name"), required("value"))
    create(
        "processing_results", key("timestamp", sa.BigInteger), key("result_id"), required("kind", sa.Text),
        *(required(name, sa.Text) for name in ("sleeve", "strategy", "symbol")),
        *(required(name) for name in ("weight", "confidence", "price")), required("as_of", sa.BigInteger),
        required("reason", sa.Text, "''"),
    )  # fmt: skip


def downgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    real, ending = ("REAL", " WITHOUT ROWID") if sqlite else ("DOUBLE PRECISION", "")
    baseline = context.script.get_revision("0001").module
    for name in OLD:
        op.execute(f"CREATE TABLE {name} ({baseline.TABLES[name].format(real=real)}){ending}")
    for statement in DOWN:
        op.execute(statement)
    for name in NEW:
        op.execute(f"DROP TABLE {name}" + ("" if sqlite else " CASCADE"))
