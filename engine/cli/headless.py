"""Run the engine on plain asyncio, telling on stdout what a window would show."""

from __future__ import annotations

import asyncio
import signal
from datetime import datetime

import typer

from engine import event_loop
from engine.cli.options import tell
from engine.config.settings import Settings
from engine.domain.errors import PaddockError
from engine.garbage import spare_the_living
from engine.installation import Installation, folder_name
from engine.orchestrator.engine import TradingEngine
from engine.tables import TableReader
from engine.views import ActivityRow

EVERY = 0.25
SUMMARY_EVERY = 30.0


def run_headless(settings: Settings) -> int:
    """Until Ctrl+C or SIGTERM; the exit code."""
    with Installation(settings.data, folder_name(settings), fresh=settings.exchange.replay is not None) as installation:
        try:
            return _run_loop(settings, installation)
        except PaddockError as error:
            tell(error)
            return error.exit_code


def _run_loop(settings: Settings, installation: Installation) -> int:
    async def main() -> int:
        return await _run(TradingEngine(settings, installation))

    return event_loop.run(main())


async def _run(engine: TradingEngine) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    reader = engine.views.activity.reader()
    starting = asyncio.create_task(engine.start())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        return 0
    starting.result()
    spare_the_living()
    typer.echo(f"paddock: {engine.views.summary.environment} engine runs; Ctrl+C stops it.")
    try:
        await _tell_activity(engine, reader, stop)
    finally:
        stopping.cancel()
        await engine.stop()
    typer.echo("paddock: stopped; no process is left.")
    return 0


async def _tell_activity(engine: TradingEngine, reader: TableReader[ActivityRow], stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    next_summary = loop.time()
    while not stop.is_set():
        rows, _ = reader.drain()
        for row in rows.values():
            typer.echo(f"{datetime.fromtimestamp(row.timestamp / 1e9).astimezone():%H:%M:%S} {row.kind:8} {row.text}")
        if loop.time() >= next_summary:
            next_summary = loop.time() + SUMMARY_EVERY
            summary = engine.views.summary
            typer.echo(
                f"equity {summary.equity:,.2f}  day {summary.day_pnl:+,.2f}  exposure {summary.gross_exposure:,.0f}"
                f"  {summary.trading_state}  feed {summary.feed_state}  broker {summary.broker_state}"
            )
        try:
            await asyncio.wait_for(stop.wait(), EVERY)
        except TimeoutError:
            continue
