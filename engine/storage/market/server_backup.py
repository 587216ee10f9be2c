"""Backs up and restores a PostgreSQL market database by its own tools; the password goes by the environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from engine.domain.errors import DataError, UnavailableError
from engine.storage.market.address import MarketAddress
from engine.storage.market.rows import KEYS

MOST_SAID = 500
OURS = ("alembic_version", *KEYS)
TABLES = [f"--table={name}" for name in OURS] + [f"--table={name}_p*" for name in KEYS]
"""Ours and their partitions: what else is in the database is its owner's business."""


def dump(address: MarketAddress, target: Path) -> None:
    """In pg_dump's own format. Raises UnavailableError without the tools, DataError when they fail."""
    command = f"pg_dump --format=custom --no-owner --file={target} {address.shown}"
    _tool("pg_dump", command)
    _refuse_timescale(address, command)
    _run("pg_dump", address, ["--format=custom", "--no-owner", f"--file={target}", *TABLES], command)


def restore(address: MarketAddress, source: Path) -> None:
    """What is in our tables is replaced in one transaction.

    Not by `pg_restore --clean`: it drops the inherited constraints of partitions one by one, which PostgreSQL refuses.
    """
    command = f"pg_restore --no-owner --dbname={address.shown} {source}"
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "restore.sql"
        _checked([_tool("pg_restore", command), "--no-owner", f"--file={script}", str(source)], dict(os.environ))
        drop = f"DROP TABLE IF EXISTS {', '.join(OURS)} CASCADE"
        options = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
        _run("psql", address, [*options, f"--command={drop}", f"--file={script}"], command)


def has_tables(address: MarketAddress) -> bool:
    """Whether one of ours is there. Raises as `dump` does."""
    names = ", ".join(f"'{name}'" for name in OURS)
    query = f"SELECT count(*) FROM pg_tables WHERE schemaname = ANY (current_schemas(false)) AND tablename IN ({names})"
    return _run("psql", address, ["--no-psqlrc", "-At", f"--command={query}"], f"psql {address.shown}").strip() != b"0"


def check(path: Path) -> None:
    """That the table of contents can be read. Raises DataError."""
    _checked([_tool("pg_restore", f"pg_restore --list {path}"), "--list", str(path)], dict(os.environ))


def _refuse_timescale(address: MarketAddress, command: str) -> None:
    query = "SELECT count(*) FROM pg_extension WHERE extname = 'timescaledb'"
    if _run("psql", address, ["--no-psqlrc", "-At", f"--command={query}"], command).strip() == b"1":
        raise DataError(
            "TimescaleDB's tables need steps before and after a restore that this command does not take.",
            f"Back up the whole database as TimescaleDB's manual says: {command}",
        )


def _run(name: str, address: MarketAddress, options: list[str], command: str) -> bytes:
    parts = urlsplit(address.url)
    user = f"{parts.username}@" if parts.username else ""
    where = urlunsplit(parts._replace(netloc=user + parts.netloc.rpartition("@")[2]))
    environment = os.environ | ({"PGPASSWORD": unquote(parts.password)} if parts.password else {})
    return _checked([_tool(name, command), f"--dbname={where}", *options], environment)


def _checked(command: list[str], environment: dict[str, str]) -> bytes:
    found = subprocess.run(command, env=environment, capture_output=True, check=False)
    if found.returncode:
        said = found.stderr.decode(errors="replace").strip()[-MOST_SAID:] or "it said nothing."
        raise DataError(
            f"{Path(command[0]).name} failed: {said}",
            "See that the server runs, that its tools are not older than it, and that the backup is whole.",
        )
    return found.stdout


def _tool(name: str, command: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise UnavailableError(
            f"{name} is not installed here; PostgreSQL is backed up and restored by its own tools.",
            f"Install postgresql-client, or run on the server: {command}",
        )
    return found
