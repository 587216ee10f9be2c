"""What the recorder wrote before the tables had versions: bars, quotes and signals. An old file has them already."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = {
    "bars": "symbol TEXT, timeframe TEXT, timestamp BIGINT, open {real}, high {real}, low {real}, close {real},"
    " volume {real}, trade_count BIGINT, vwap {real}, PRIMARY KEY (symbol, timeframe, timestamp)",
    "quotes": "symbol TEXT, timestamp BIGINT, bid {real}, ask {real}, bid_size {real}, ask_size {real}, last {real},"
    " PRIMARY KEY (symbol, timestamp)",
    "signals": "signal_id TEXT PRIMARY KEY, sleeve TEXT, strategy TEXT, symbol TEXT, weight {real}, confidence {real},"
    " price {real}, as_of BIGINT, made_at BIGINT, reason TEXT",
}


def upgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    real, ending = ("REAL", " WITHOUT ROWID") if sqlite else ("DOUBLE PRECISION", "")
    for name, columns in TABLES.items():
        op.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns.format(real=real)}){ending}")


def downgrade() -> None:
    for name in TABLES:
        op.execute(f"DROP TABLE {name}")
