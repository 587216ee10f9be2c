"""`paddock exchange`: the local exchange by itself, for whoever develops against Alpaca."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import typer

from engine import event_loop
from engine.config import load_settings
from engine.exchange.server import ExchangeOptions, serve
from engine.garbage import spare_the_living


def run_exchange(venues: int, given: dict[str, Any]) -> None:
    """Prints `ready URL` for each venue when it serves; ends at Ctrl+C. `given` are fields of ExchangeOptions, None for
    those that keep their default. Each key pair has an account of its own; any pair is taken unless [exchange.keys] is
    configured. Raises ConfigurationError, DataError and UnavailableError.
    """
    keys = {key: secret.get_secret_value() for key, secret in load_settings().exchange.keys.items()}
    options = ExchangeOptions(keys=keys or None, **{name: value for name, value in given.items() if value is not None})
    event_loop.run(_run(options, venues))


async def _run(options: ExchangeOptions, venues: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(options, _announce, stop, venues=venues)


def _announce(url: str) -> None:
    spare_the_living()
    typer.echo(f"ready {url}")
