"""Exchanges side by side, and the command that starts them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from engine.cli.app import app
from engine.domain.errors import ConfigurationError
from engine.domain.market import NANOSECONDS
from engine.exchange.server import ExchangeOptions, ExchangeServer
from engine.exchange.server.venues import side_by_side
from tests.exchange.conftest import WAIT
from tests.waiting import until

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
CALM: dict[str, Any] = {"symbols": ("SPY", "BTC/USD"), "recent_minutes": 1, "jumps_per_day": 0.0}


@asynccontextmanager
async def venues(**fields: Any) -> AsyncIterator[list[ExchangeServer]]:
    async with AsyncExitStack() as stack:
        servers: list[ExchangeServer] = []
        for options in side_by_side(ExchangeOptions(**(CALM | fields)), 2):
            server = ExchangeServer(options, beside=servers[0] if servers else None)
            servers.append(await stack.enter_async_context(server))
        yield servers


def mids(server: ExchangeServer, symbol: str) -> dict[int, float]:
    """The mean mid of each second."""
    rows = server.venue.tape.symbols[symbol].quotes
    found: dict[int, list[float]] = {}
    for index in range(len(rows)):
        at, bid, _, ask, _ = rows.row(index)
        found.setdefault(at // NANOSECONDS, []).append((bid + ask) / 2)
    return {second: sum(values) / len(values) for second, values in found.items()}


async def test_two_venues_have_one_mid_and_quotes_of_their_own() -> None:
    async with venues(speed=60.0) as (first, second):
        end = first.venue.now + 120 * NANOSECONDS
        await until(lambda: min(first.venue.now, second.venue.now) > end)
        for symbol in ("SPY", "BTC/USD"):
            one, other = mids(first, symbol), mids(second, symbol)
            both = sorted(one.keys() & other.keys())
            assert len(both) > 60
            apart = [abs(one[at] / other[at] - 1) for at in both]
            assert 0 < sum(apart) / len(apart) < 4e-4
        assert first.venue.tape.symbols["SPY"].quote != second.venue.tape.symbols["SPY"].quote
        assert first.venue.source.start == second.venue.source.start


async def test_each_venue_has_accounts_and_orders_of_its_own(tmp_path: Path) -> None:
    async with venues(state=tmp_path, partial_fills=0.0) as (first, second):
        order = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
        async with aiohttp.ClientSession(headers=KEYS) as session:
            async with session.post(f"{first.url}/v2/orders", json=order) as answer:
                assert answer.status == 200
            async with session.get(f"{second.url}/v2/orders?status=all") as answer:
                assert await answer.json() == []
        assert first.url != second.url
    assert len(list(tmp_path.rglob("*.db"))) == 2


def test_a_further_venue_is_wider_slower_and_cheaper() -> None:
    first, second, third = side_by_side(ExchangeOptions(port=9000), 3)
    assert [each.port for each in (first, second, third)] == [9000, 9001, 9002]
    assert first.spread < second.spread < third.spread
    assert first.latency < second.latency < third.latency
    assert first.crypto_fee_bps == Decimal(25) > second.crypto_fee_bps > third.crypto_fee_bps


def test_what_cannot_stand_side_by_side_is_told(tmp_path: Path) -> None:
    for options, count in ((ExchangeOptions(), 0), (ExchangeOptions(), 9), (ExchangeOptions(replay=tmp_path), 2)):
        with pytest.raises(ConfigurationError):
            side_by_side(options, count)


async def test_the_command_prints_a_ready_line_for_each_venue() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine.cli", "exchange", "--venues", "2", "--symbols", "SPY", "--rate-limit", "7", stdout=-1
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(2 * WAIT):
            lines = [(await process.stdout.readline()).decode().split() for _ in range(2)]
        assert [words[0] for words in lines] == ["ready", "ready"]
        async with aiohttp.ClientSession(headers=KEYS) as session:
            for _, url in lines:
                async with session.get(f"{url}/v2/assets") as answer:
                    assert [asset["symbol"] for asset in await answer.json()] == ["SPY"]
                    assert answer.headers["X-RateLimit-Limit"] == "7"
    finally:
        process.terminate()
    assert await asyncio.wait_for(process.wait(), WAIT) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--loop"], "no end"),
        (["--spread", "0"], "spread"),
        (["--speed", "-1"], "speed"),
        (["--crypto-fee-bps", "x"], "not a number"),
        (["--replay", "/nowhere"], "no recording"),
        (["--symbols", "not a symbol"], "not a symbol"),
        (["--venues", "2", "--replay", "/nowhere"], "one venue"),
    ],
)
def test_what_makes_no_sense_is_told_in_a_sentence(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["exchange", *arguments])
    assert result.exit_code not in (0, 1)
    assert said in result.output.lower()
    assert "Traceback" not in result.output


def test_every_option_of_the_exchange_can_be_given_on_the_command_line() -> None:
    command: Any = get_command(app)
    offered = {parameter.name for parameter in command.commands["exchange"].params}
    rates = {"sec_fee_rate", "taf_rate", "taf_cap"}
    # The keys are secrets, and come from the configuration; the number of a venue follows from --venues.
    assert set(ExchangeOptions.__dataclass_fields__) - offered == rates | {"keys", "venue"}
    assert all(parameter.help for parameter in command.commands["exchange"].params)
