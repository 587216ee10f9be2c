"""The market database on PostgreSQL, by asyncpg: COPY for what comes once, upserts from a staging table for the rest."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

import asyncpg

from engine.domain.errors import CredentialsError, DataError, PaddockError, UnavailableError
from engine.storage.market import schema, timescale
from engine.storage.market.address import MarketAddress
from engine.storage.market.backlog import Batch
from engine.storage.market.partitions import Partition, ahead, expired, needed
from engine.storage.market.rows import KEYS, TIMES, Row
from engine.storage.market.store import DatabaseFullError, RefusedRowsError, State
from engine.storage.market.tables import TABLES, columns_of, upsert

CONNECT_TIMEOUT = 5.0
COMMAND_TIMEOUT = 60.0
LOCK = 7_236_223_365
"""The advisory lock under which the form of the database and its partitions are changed."""
REVISED = frozenset({"realtime_candles", "technical_indicators"})
"""Their rows often come again, so they always go through a staging table."""
PARTITIONS_OF = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $1::text::regclass"
HAS_TIMESCALE = "SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'timescaledb')"
HAS_TABLE = "SELECT EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = ANY (current_schemas(false)) AND tablename = $1)"
"""Not to_regclass: it may answer from a cache that is older than the lock we waited for."""
GONE = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
)
BAD_ROWS = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, OverflowError, UnicodeError)


class PostgresStore:
    """See Store. One connection, opened again at the next call after it was lost."""

    def __init__(self, address: MarketAddress) -> None:
        self._address = address
        self._connection: asyncpg.Connection | None = None
        self._timescale = False
        self._partitions: set[Partition] = set()

    async def open(self, *, upgrade: bool = True) -> None:
        async with self._working() as connection:
            if upgrade:
                await migrate(connection)
                self._timescale = await connection.fetchval(HAS_TIMESCALE)

    async def write(self, batch: Batch) -> int:
        try:
            return await self._write(batch)
        except RefusedRowsError as error:
            if not isinstance(error.__cause__, asyncpg.CheckViolationError):
                raise
            self._partitions.clear()  # somebody dropped one that we knew
            return await self._write(batch)

    async def _write(self, batch: Batch) -> int:
        async with self._working() as connection:
            if not self._timescale:
                await self._prepare_partitions(connection, batch)
            async with connection.transaction():
                for table, rows in batch.items():
                    await _put(connection, table, rows)
        return sum(map(len, batch.values()))

    async def expire(self, days: Mapping[str, int], now: int) -> dict[str, int]:
        async with self._working() as connection:
            if self._timescale:
                for statement in timescale.retention(days):
                    await connection.execute(statement)
                return {}
            await self._create(connection, {part for table in KEYS for part in ahead(table, now)})
            gone = {table: await self._drop(connection, table, kept, now) for table, kept in days.items() if kept}
        return {table: rows for table, rows in gone.items() if rows}

    async def size(self) -> int:
        async with self._working() as connection:
            found: int = await connection.fetchval("SELECT pg_database_size(current_database())")
        return found

    async def state(self) -> State:
        async with self._working() as connection:
            size = await connection.fetchval("SELECT pg_database_size(current_database())")
            rows = {table: await _estimate(connection, table) for table in KEYS}
            version = await version_of(connection)
        kind = "PostgreSQL with TimescaleDB" if self._timescale else "PostgreSQL"
        return State(where=self._address.shown, kind=kind, version=version, size_bytes=size, rows=rows)

    async def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            try:
                await connection.close(timeout=CONNECT_TIMEOUT)
            except GONE:
                connection.terminate()

    @contextlib.asynccontextmanager
    async def _working(self) -> AsyncIterator[asyncpg.Connection]:
        """A live connection; its errors come out as ours."""
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await connect(self._address)
                self._timescale = await self._connection.fetchval(HAS_TIMESCALE)
                self._partitions.clear()
            yield self._connection
        except PaddockError:
            raise
        except Exception as error:
            if isinstance(error, GONE) and self._connection is not None:
                self._connection.terminate()
                self._connection = None
            explained = explain(error, self._address)
            if explained is None:
                raise
            raise explained from error

    async def _prepare_partitions(self, connection: asyncpg.Connection, batch: Batch) -> None:
        missing: set[Partition] = set()
        for table, rows in batch.items():
            time = TIMES[table]
            missing |= needed(table, (row[time] for row in rows)) - self._partitions  # type: ignore[misc]
        if missing:
            await self._create(connection, missing)

    async def _create(self, connection: asyncpg.Connection, parts: set[Partition]) -> None:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            for part in sorted(parts):
                await connection.execute(part.create)
        self._partitions |= parts

    async def _drop(self, connection: asyncpg.Connection, table: str, days: int, now: int) -> int:
        names = [row[0] for row in await connection.fetch(PARTITIONS_OF, table)]
        rows = 0
        for name in expired(names, days, now):
            rows += await connection.fetchval(f"SELECT count(*) FROM {name}")
            await connection.execute(f"DROP TABLE {name}")
            self._partitions = {part for part in self._partitions if part.name != name}
        return rows


async def connect(address: MarketAddress) -> asyncpg.Connection:
    return await asyncpg.connect(
        address.url,
        timeout=CONNECT_TIMEOUT,
        command_timeout=COMMAND_TIMEOUT,
        server_settings={"application_name": "paddock recorder", "client_min_messages": "warning"},
    )


async def migrate(connection: asyncpg.Connection, target: str = schema.HEAD) -> None:
    """To the form `target`, in one transaction; of two that start at once the second finds it done."""
    if await version_of(connection) == target:
        return
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
        current = await version_of(connection)
        if schema.is_newer(current):
            raise DataError(
                f"The market database has form {current}; this version of Paddock knows those up to {schema.HEAD}.",
                "Install the newer version again, or name another database.",
            )
        if current != target:
            chosen = await can_have_timescale(connection)
            steps = await asyncio.to_thread(schema.statements, "postgresql", current, target, timescale=chosen)
            for statement in steps:
                await connection.execute(statement)


async def can_have_timescale(connection: asyncpg.Connection) -> bool:
    """Creates the extension where the server has it and this user may; otherwise partitions do."""
    if await connection.fetchval(HAS_TIMESCALE):
        return True
    if not await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb')"
    ):
        return False
    try:
        async with connection.transaction():
            await connection.execute("CREATE EXTENSION timescaledb")
    except asyncpg.PostgresError:
        return False
    return True


async def version_of(connection: asyncpg.Connection) -> str | None:
    """None in a database that never had a version."""
    if not await connection.fetchval(HAS_TABLE, "alembic_version"):
        return None
    found: str | None = await connection.fetchval(schema.VERSION_QUERY)
    return found


async def _put(connection: asyncpg.Connection, table: str, rows: Sequence[Row]) -> None:
    if table not in REVISED:
        with contextlib.suppress(asyncpg.UniqueViolationError):
            async with connection.transaction():
                await connection.copy_records_to_table(table, records=rows, columns=columns_of(TABLES[table]))
            return
    stage = f"stage_{table}"
    await connection.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS {stage} (LIKE {table} INCLUDING DEFAULTS) ON COMMIT DELETE ROWS"
    )
    await connection.copy_records_to_table(stage, records=rows, columns=columns_of(TABLES[table]))
    await connection.execute(upsert(TABLES[table], "postgresql", stage))


async def _estimate(connection: asyncpg.Connection, table: str) -> int:
    """Rows as the server's statistics have them; counting billions would take minutes."""
    if not await connection.fetchval(HAS_TABLE, table):
        return 0
    live = "SELECT COALESCE(sum(n_live_tup), 0)::bigint FROM pg_stat_user_tables WHERE relid = $1::text::regclass"
    parts = " OR relid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = $1::text::regclass)"
    return int(await connection.fetchval(live + parts, table))


def explain(error: Exception, address: MarketAddress) -> PaddockError | None:
    """PostgreSQL's errors as ours; None for what nobody expected. No message holds the password."""
    where = address.shown
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return CredentialsError(
            f"PostgreSQL at {where} refused the user or the password.",
            "Correct market_database.url in the configuration.",
        )
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return DataError(f"PostgreSQL has no database as in {where}.", "Create it: createdb NAME.")
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return DataError(f"The user of {where} may not do that: {error}.", "Make it the owner of the database.")
    if isinstance(error, asyncpg.UndefinedTableError | asyncpg.UndefinedColumnError):
        return DataError(
            f"The market database {where} is not as Paddock made it: {error}.",
            "Restore a backup (paddock db restore FILE) or name an empty database.",
        )
    if isinstance(error, asyncpg.DiskFullError):
        return DatabaseFullError(
            f"The disk of PostgreSQL at {where} is full.", "Free space on it; rows wait meanwhile."
        )
    if isinstance(error, BAD_ROWS):
        return RefusedRowsError(f"The market database refuses rows: {error}.", "They are counted and left out.")
    if isinstance(error, GONE):
        said = str(error) or type(error).__name__
        return UnavailableError(f"PostgreSQL at {where} is away: {said}.", "Start it; rows wait in memory meanwhile.")
    return None
