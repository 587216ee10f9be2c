"""`paddock flatten`: the emergency stop without a console, for when there is none or it does not answer."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import typer

from engine.broker.alpaca import AlpacaBroker
from engine.bus import Bus
from engine.clock import IdFactory, SystemClock
from engine.config.settings import Environment, Settings
from engine.control import EmergencyReport
from engine.domain.errors import AlreadyRunningError, ConfigurationError, PaddockError
from engine.execution.trading import TradingCore
from engine.installation import Installation, folder_name
from engine.orchestrator.plan import alpaca_address, limits_of
from engine.storage.journal import open_journal

WORD = "FLATTEN"
REASON = "paddock flatten"
TRIES = 3


def run_flatten(settings: Settings, *, keep_positions: bool, confirmed: bool) -> int:
    """The exit code: 0 when the venue confirmed that nothing is left, 1 when something is or nobody knows."""
    if settings.environment is Environment.DEMO:
        raise ConfigurationError(
            "The demo's exchange lives and ends with its console.",
            "Use the STOP button there, or name the account: --paper or --live.",
        )
    if settings.environment is Environment.LIVE and not confirmed:
        what = "cancels all orders" if keep_positions else "cancels all orders and sells all positions"
        if typer.prompt(f"This {what} of the LIVE account. Type {WORD} to go on") != WORD:
            typer.echo("Nothing was done.")
            return 1
    with _journal_path(settings) as path:
        report = asyncio.run(_stop(settings, path, flatten=not keep_positions))
    for step in report.steps:
        typer.echo(step)
    typer.echo(report.text)
    left = report.open_orders or ("NOT" in report.text.split(" ", 1)[0])
    return int(bool(left) or not (report.flat or keep_positions))


@contextlib.contextmanager
def _journal_path(settings: Settings) -> Iterator[Path]:
    """The installation's journal. While a console holds it, one for the moment: the console hears from the venue."""
    with contextlib.ExitStack() as held:
        try:
            yield held.enter_context(Installation(settings.data, folder_name(settings))).journal
        except AlreadyRunningError as error:
            typer.echo(f"{error.message} It is not asked; it will hear of this from the venue.", err=True)
            yield Path(held.enter_context(tempfile.TemporaryDirectory())) / "orders.db"


async def _stop(settings: Settings, path: Path, *, flatten: bool) -> EmergencyReport:
    clock = SystemClock()
    journal, recovered = open_journal(path)
    bus = Bus(lambda event, error: typer.echo(f"{type(event).__name__}: {error}", err=True))
    bus.start()
    broker = AlpacaBroker(alpaca_address(settings), clock)
    core = TradingCore(
        broker=broker,
        journal=journal,
        recovered=recovered,
        bus=bus,
        clock=clock,
        ids=IdFactory(clock),
        limits=limits_of(settings),
        environment=settings.environment.value,
        prices=lambda symbol: None,
    )
    try:
        await _ask_venue(core)
        return await core.emergency_stop(REASON, flatten)
    finally:
        await core.stop()
        await broker.close()
        await bus.close()
        await journal.close()


async def _ask_venue(core: TradingCore) -> None:
    """Closing orders need to know account and session; cancels need neither, so no failure stops them here.

    Raises CredentialsError: with wrong keys nothing can be done at all.
    """
    for ask in (core.refresh_account, core.refresh_market):
        for attempt in range(TRIES):
            try:
                await ask()
                break
            except PaddockError as error:
                if error.exit_code == 77:
                    raise
                typer.echo(f"{error.message} ({attempt + 1} of {TRIES})", err=True)
