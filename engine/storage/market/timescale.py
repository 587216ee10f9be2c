"""What TimescaleDB 2.x is told where its extension can be created: hypertables, compression, continuous aggregates.

Times are integers, so a function tells it what "now" is. Statements run unchanged on 2.11 and later (upserts into
compressed chunks). The aggregates hold 5m, 15m and 1h bars by the clock; 4h and 1d bars follow the sessions of their
market and are recorded from the feed like every other bar.
"""

from __future__ import annotations

from collections.abc import Mapping

DAY = 86_400_000_000_000
MINUTE = 60_000_000_000

CHUNKS = {
    "stream_messages": DAY,
    "normalized_data": DAY,
    "realtime_candles": 30 * DAY,
    "technical_indicators": 30 * DAY,
    "system_metrics": 7 * DAY,
    "processing_results": 30 * DAY,
}
"""Nanoseconds in one chunk: what is written at the same time fits into memory."""
SEGMENTS = {
    "stream_messages": "topic",
    "normalized_data": "symbol",
    "realtime_candles": "symbol, timeframe",
    "technical_indicators": "symbol, timeframe, name",
    "system_metrics": "process, name",
    "processing_results": "",
}
"""What compressed rows are grouped by: what queries ask for."""
ORDERS = {"stream_messages": '"timestamp" DESC, chunk_id', "processing_results": '"timestamp" DESC, result_id'}
FRAMES = {"5m": 5, "15m": 15, "1h": 60}
"""Minutes of each continuous aggregate."""

NOW = (
    "CREATE OR REPLACE FUNCTION paddock_now_ns() RETURNS BIGINT LANGUAGE SQL STABLE AS"
    " $$ SELECT CAST(extract(epoch FROM now()) * 1000000000 AS BIGINT) $$"
)


def _hypertable(name: str) -> list[str]:
    segments = f", timescaledb.compress_segmentby = '{SEGMENTS[name]}'" if SEGMENTS[name] else ""
    order = ORDERS.get(name, '"timestamp" DESC')
    return [
        f"SELECT create_hypertable('{name}', 'timestamp', chunk_time_interval => BIGINT '{CHUNKS[name]}')",
        f"SELECT set_integer_now_func('{name}', 'paddock_now_ns')",
        f"ALTER TABLE {name} SET (timescaledb.compress{segments}, timescaledb.compress_orderby = '{order}')",
        f"SELECT add_compression_policy('{name}', BIGINT '{max(7 * DAY, CHUNKS[name])}')",
    ]


def _aggregate(frame: str, minutes: int) -> list[str]:
    width, view = minutes * MINUTE, f"candles_{frame}"
    return [
        f"CREATE MATERIALIZED VIEW {view} WITH (timescaledb.continuous) AS"
        f" SELECT symbol, time_bucket(BIGINT '{width}', \"timestamp\") AS bucket,"
        ' first(open, "timestamp") AS open, max(high) AS high, min(low) AS low, last(close, "timestamp") AS close,'
        " sum(volume) AS volume, sum(trade_count) AS trade_count,"
        " sum(vwap * volume) / NULLIF(sum(volume), 0) AS vwap"
        " FROM realtime_candles WHERE timeframe = '1m' GROUP BY symbol, bucket WITH NO DATA",
        f"SELECT add_continuous_aggregate_policy('{view}', start_offset => BIGINT '{7 * DAY}',"
        f" end_offset => BIGINT '{width}', schedule_interval => INTERVAL '{minutes} minutes')",
    ]


SETUP = [
    NOW,
    *(statement for name in CHUNKS for statement in _hypertable(name)),
    *(statement for frame, minutes in FRAMES.items() for statement in _aggregate(frame, minutes)),
]


def retention(days: Mapping[str, int]) -> list[str]:
    """Replaces the policies; 0 keeps for ever."""
    statements = []
    for name, kept in days.items():
        statements.append(f"SELECT remove_retention_policy('{name}', if_exists => true)")
        if kept:
            statements.append(f"SELECT add_retention_policy('{name}', BIGINT '{kept * DAY}')")
    return statements
