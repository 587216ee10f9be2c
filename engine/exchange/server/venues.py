"""Several exchanges side by side, as an order router finds them: the same symbols around the same mid prices, and at
each venue quotes, prints, costs and delays of its own.

A router holds one account at each venue, by the same key pair. It reads the streams of all of them and sends an order
where quote plus fee is best: the first venue quotes more closely and answers sooner, each further one is wider and
slower and keeps less of a crypto trade. Mids agree to a fraction of a spread at any moment, so that a difference between
two venues' quotes is one that can be traded, and not a drift. Positions do not move between venues; the router nets them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal

from engine.domain.errors import ConfigurationError
from engine.exchange.server.app import ExchangeServer
from engine.exchange.server.options import ExchangeOptions

MAX_VENUES = 4
WIDER, SLOWER, CHEAPER = 1.5, 0.03, Decimal("0.6")
"""What each further venue is beside the one before: its spread, its seconds of delay, its crypto fee."""


def side_by_side(options: ExchangeOptions, count: int) -> list[ExchangeOptions]:
    """The options of `count` venues, on consecutive ports where one is given. Raises ConfigurationError."""
    if not 1 <= count <= MAX_VENUES:
        raise ConfigurationError(f"{count} is not a number of venues.", f"Choose from 1 to {MAX_VENUES}.")
    if count > 1 and options.replay is not None:
        raise ConfigurationError("A recording is of one venue.", "Leave out --replay or --venues.")
    return [options, *(_venue(options, number) for number in range(1, count))]


def _venue(options: ExchangeOptions, number: int) -> ExchangeOptions:
    return replace(
        options,
        venue=number,
        port=options.port + number if options.port else 0,
        spread=options.spread * WIDER**number,
        latency=options.latency + SLOWER * number,
        crypto_fee_bps=options.crypto_fee_bps * CHEAPER**number,
        state=None if options.state is None else options.state / f"venue-{number + 1}",
    )


async def serve(
    options: ExchangeOptions, on_ready: Callable[[str], None], stop: asyncio.Event, *, venues: int = 1
) -> None:
    """Run exchanges until `stop` is set. `on_ready` is given the URL of each, in order, once all answer. Raises as
    ExchangeServer does, and whatever stops a market.
    """
    async with AsyncExitStack() as stack:
        servers: list[ExchangeServer] = []
        for each in side_by_side(options, venues):
            server = ExchangeServer(each, beside=servers[0] if servers else None)
            servers.append(await stack.enter_async_context(server))
        for server in servers:
            on_ready(server.url)
        await _wait(servers, stop)


async def _wait(servers: list[ExchangeServer], stop: asyncio.Event) -> None:
    waiting = {asyncio.create_task(server.wait(stop)) for server in servers}
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
