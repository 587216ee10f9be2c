"""The built-in exchange as a child process: what the demo trades on."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.exchange.assets import DEFAULT_SYMBOLS
from engine.exchange.server import ExchangeOptions, serve
from engine.processes.child import Child


class Settings(msgspec.Struct, kw_only=True):
    port: int = 0
    seed: int = 1
    symbols: list[str] = list(DEFAULT_SYMBOLS)
    replay: str | None = None
    day: str | None = None
    speed: float = 1.0
    state: str | None = None


async def main(child: Child[Settings]) -> None:
    settings = child.settings
    options = ExchangeOptions(
        port=settings.port,
        seed=settings.seed,
        symbols=tuple(settings.symbols),
        replay=Path(settings.replay) if settings.replay else None,
        day=settings.day,
        speed=settings.speed,
        state=Path(settings.state) if settings.state else None,
    )
    await serve(options, child.ready, child.stopping)
