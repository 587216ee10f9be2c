"""`paddock exchange`: the local exchange by itself, for whoever develops against Alpaca."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import typer

from engine.cli.options import parse_symbols
from engine.config import load_settings
from engine.exchange.assets import DEFAULT_SYMBOLS
from engine.exchange.server import ExchangeOptions, serve


def run_exchange(
    *, port: int, seed: int, replay: Path | None, speed: float, symbols: str | None, state: Path | None
) -> None:
    """Prints `ready URL` when it serves; ends at Ctrl+C. Each key pair has an account of its own.

    Any pair is taken unless [exchange.keys] is configured.
    """
    keys = {key: secret.get_secret_value() for key, secret in load_settings().exchange.keys.items()}
    options = ExchangeOptions(
        port=port,
        seed=seed,
        replay=replay,
        speed=speed,
        symbols=tuple(parse_symbols(symbols) or DEFAULT_SYMBOLS),
        state=state,
        keys=keys or None,
    )

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(options, lambda url: typer.echo(f"ready {url}"), stop)

    asyncio.run(run())
