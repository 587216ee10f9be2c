"""The local exchange as a child process: what the demo and a replay trade on."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import msgspec

from engine.exchange.assets import DEFAULT_SYMBOLS
from engine.exchange.server import ExchangeOptions, ExchangeServer
from engine.garbage import spare_the_living
from engine.processes.child import Child

REPORT = 0.5
"""Seconds between two counts of the work."""


class Settings(msgspec.Struct, kw_only=True):
    """As ExchangeOptions; `port` 0 takes a free one, `replay` and `state` are folders."""

    host: str = "127.0.0.1"
    port: int = 0
    seed: int = 1
    symbols: tuple[str, ...] = DEFAULT_SYMBOLS
    replay: str | None = None
    day: str | None = None
    speed: float = 1.0
    state: str | None = None
    crypto_fee_bps: float = 25.0
    """As at Alpaca, in the coins that were bought or the dollars that they brought."""


async def main(child: Child[Settings]) -> None:
    """Says ready with the exchange's URL. Its progress counts steps of the market and messages sent."""
    async with ExchangeServer(read_options(child.settings)) as server:
        spare_the_living()
        child.ready(server.url)
        report = asyncio.create_task(_report(child, server))
        try:
            await server.wait(child.stopping)
        finally:
            report.cancel()
            await asyncio.gather(report, return_exceptions=True)


def read_options(settings: Settings) -> ExchangeOptions:
    return ExchangeOptions(
        host=settings.host,
        port=settings.port,
        seed=settings.seed,
        symbols=settings.symbols,
        replay=Path(settings.replay) if settings.replay else None,
        day=settings.day,
        speed=settings.speed,
        state=Path(settings.state) if settings.state else None,
        crypto_fee_bps=Decimal(str(settings.crypto_fee_bps)),
    )


async def _report(child: Child[Settings], server: ExchangeServer) -> None:
    told = 0
    while True:
        await asyncio.sleep(REPORT)
        done = server.counters.steps + server.counters.messages
        child.progress(done - told)
        told = done
