"""`paddock db`: the form of the market database, its backups, and whether it is whole."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from engine.clock import SystemClock
from engine.domain.errors import DataError
from engine.storage.market.address import MarketAddress, market_address

if TYPE_CHECKING:
    from engine.config import Settings
    from engine.storage.market.store import State


def address_of(settings: Settings) -> MarketAddress:
    from engine.installation import Installation, folder_name

    path = Installation(settings.data, folder_name(settings)).market_database
    return market_address(settings.market_database.url.get_secret_value(), path)


def upgrade(address: MarketAddress) -> None:
    """To the form that this version writes; the recorder does the same when it starts."""
    state = asyncio.run(_state(address, change=True))
    typer.echo(f"{state.where}: form {state.version}")


def status(address: MarketAddress) -> None:
    """Reads only. An estimate of PostgreSQL's is marked by "about"."""
    from engine.storage.market.schema import HEAD

    if not address.is_postgres and not Path(address.path).is_file():
        typer.echo(f"{address.path} is not there yet; the recorder makes it when it first runs.")
        return
    state = asyncio.run(_state(address, change=False))
    newest = "the newest" if state.version == HEAD else f"the recorder brings it to {HEAD} when it starts"
    typer.echo(f"{state.where}: {state.kind}, form {state.version or 'without a number'} ({newest})")
    typer.echo(f"{state.size_bytes / 1e6:,.1f} MB")
    about = "about " if address.is_postgres else ""
    for table, rows in state.rows.items():
        typer.echo(f"{table:<22}{about}{rows:,} rows")


def back_up(address: MarketAddress, target: Path) -> None:
    from engine.storage.market.backup import backup

    manifest = backup(address, target, SystemClock().now())
    typer.echo(f"{target}: {manifest.size_bytes / 1e6:,.1f} MB, SHA-256 {manifest.sha256}")


def check(address: MarketAddress, path: Path | None) -> None:
    """The backup `path`, or the database that is in use. Raises DataError when it is not whole."""
    from engine.storage.market.backup import inspect, verify_backup

    if path is not None:
        manifest = verify_backup(path)
        typer.echo(f"{path}: whole, {sum(manifest.rows.values()):,} rows, form {manifest.version or 'as dumped'}")
        return
    if address.is_postgres:
        raise DataError(
            "PostgreSQL watches over its own files.",
            f"On the server: pg_amcheck; here: paddock db status ({address.shown}).",
        )
    version, rows = inspect(Path(address.path))
    typer.echo(f"{address.path}: whole, {sum(rows.values()):,} rows, form {version or 'without a number'}")


def put_back(settings: Settings, source: Path) -> None:
    """Takes the installation's lock: no console may run meanwhile. Raises AlreadyRunningError, DataError."""
    from engine.installation import Installation, folder_name
    from engine.storage.market.backup import restore

    with Installation(settings.data, folder_name(settings)):
        address = address_of(settings)
        _, aside = restore(address, source, SystemClock().now())
    typer.echo(f"{address.shown}: restored from {source}")
    if aside is not None:
        typer.echo(f"What was there is now {aside}; delete it when you no longer need it.")


async def _state(address: MarketAddress, *, change: bool) -> State:
    from engine.storage.market.store import open_store

    store = open_store(address)
    try:
        await store.open(upgrade=change)
        return await store.state()
    finally:
        await store.close()
