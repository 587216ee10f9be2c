"""`paddock flatten`: the emergency stop without a console, for when there is none or it does not answer."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import msgspec
import typer

from engine.broker.alpaca import AlpacaBroker
from engine.bus import Bus
from engine.clock import IdFactory, SystemClock
from engine.config.alpaca import Environment
from engine.config.settings import Settings
from engine.control import EmergencyReport
from engine.domain.errors import AlreadyRunningError, ConfigurationError, CredentialsError, PaddockError
from engine.execution.trading import TradingCore
from engine.installation import Installation, folder_name
from engine.orchestrator.plan import alpaca_address, limits_of
from engine.storage.journal import open_journal

WORD = "FLATTEN"
REASON = "paddock flatten"
HEAD_START = 3.0
"""Seconds in which account and session may be learnt before the cancels, which need neither."""
SILENCE = 4.0
"""Seconds after which it is told that nothing is known yet."""
AGAIN = 1.0
"""Seconds between two attempts."""


def run_flatten(settings: Settings, *, keep_positions: bool, confirmed: bool, limit: float) -> int:
    """The exit code: 0 when the venue confirmed that nothing is left, 1 when something is or nobody knows. A venue that
    does not answer is asked again until `limit` seconds have passed.
    """
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
        report = asyncio.run(_stop(settings, path, not keep_positions, limit))
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


async def _stop(settings: Settings, path: Path, flatten: bool, limit: float) -> EmergencyReport:
    clock = SystemClock()
    journal, recovered = open_journal(path)
    bus = Bus(lambda event, error: typer.echo(f"{type(event).__name__}: {error}", err=True))
    bus.start()
    address = alpaca_address(settings)
    broker = AlpacaBroker(address, clock)
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
    telling = asyncio.create_task(_tell_of_silence(address.trading_url, limit))
    try:
        return await _insist(core, flatten, limit)
    finally:
        telling.cancel()
        await core.stop()
        await broker.close()
        await bus.close()
        await journal.close()


async def _tell_of_silence(url: str, limit: float) -> None:
    """While nothing is known, whatever the time-outs are that are waited for."""
    await asyncio.sleep(min(SILENCE, limit / 2))
    typer.echo(
        f"NOTHING IS CONFIRMED YET: {url} does not answer as it should. It is asked again until {limit:.0f} seconds have"
        " passed. Look at the account at the venue itself meanwhile.",
        err=True,
    )


async def _insist(core: TradingCore, flatten: bool, limit: float) -> EmergencyReport:
    """Attempts, until one is sure of what it found or the limit is reached. Raises CredentialsError."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit
    learning = asyncio.create_task(_learn(core))
    report: EmergencyReport | None = None
    try:
        await asyncio.wait({learning}, timeout=min(HEAD_START, limit))
        # Positions that are left may be so because the closing orders had to wait for what is being learnt.
        while report is None or not report.final or (report.open_positions and not learning.done()):
            if learning.done():
                learning.result()
            attempt = asyncio.create_task(core.emergency_stop(REASON, flatten))
            await asyncio.wait({attempt}, timeout=max(deadline - loop.time(), 0.0))
            if not attempt.done():
                attempt.cancel()
                break
            report = attempt.result()
            if loop.time() + AGAIN >= deadline:
                break
            await asyncio.sleep(AGAIN)
    finally:
        learning.cancel()
    return report if report is not None and report.final else _given_up(report, limit)


def _given_up(report: EmergencyReport | None, limit: float) -> EmergencyReport:
    """`report` is of the last attempt that came to an end."""
    text = (
        f"NOT CONFIRMED in {limit:.0f} seconds: the venue does not answer. Look at the account at the venue itself, and"
        " run this again."
    )
    if report is not None:
        return msgspec.structs.replace(report, text=f"{report.text} {text}")
    return EmergencyReport(
        flat=False, text=text, steps=[], open_orders=[], open_positions=[], milliseconds=limit * 1000, final=False
    )


async def _learn(core: TradingCore) -> None:
    """Closing orders need to know account and session; cancels need neither.

    Raises CredentialsError: with wrong keys nothing can be done at all.
    """
    for ask in (core.refresh_account, core.refresh_market):
        while not await _answered(ask):  # noqa: ASYNC110  only asking again brings it
            await asyncio.sleep(AGAIN)


async def _answered(ask: Callable[[], Awaitable[None]]) -> bool:
    try:
        await ask()
    except CredentialsError:
        raise
    except PaddockError as error:
        typer.echo(f"{error.message} It is asked again.", err=True)
        return False
    return True
