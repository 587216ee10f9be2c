"""The page on other clients does what it says: its snippets run as they stand, against a running exchange."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from pathlib import Path

import pytest

from engine.exchange.server import ExchangeOptions, ExchangeServer
from engine.exchange.server.faults import FaultKind

PAGE = Path(__file__).parents[2] / "docs" / "exchange.md"
ADDRESS = "127.0.0.1:8765"
WAIT = 60


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


async def run(exchange: ExchangeServer, command: list[str], script: str) -> str:
    """What the snippet printed, at the address of this exchange. It must end well."""
    found = script.replace(ADDRESS, exchange.url.removeprefix("http://"))
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "NO_PROXY": "127.0.0.1"},
    )
    output, _ = await asyncio.wait_for(process.communicate(found.encode()), WAIT)
    assert process.returncode == 0, output.decode()
    return output.decode()


async def test_python(exchange: ExchangeServer) -> None:
    running = [run(exchange, [sys.executable, "-"], script) for script in snippets("python")]
    orders, bars, quotes = await asyncio.gather(*running)
    assert "OrderStatus.FILLED" in orders
    assert re.search(r"^SPY +20", bars, re.MULTILINE)
    assert quotes.startswith("SPY ")


async def test_curl(exchange: ExchangeServer) -> None:
    if shutil.which("curl") is None or shutil.which("bash") is None:
        pytest.skip("no curl")
    scripts = [script for script in snippets("sh") if "curl" in script]
    said = [
        await run(exchange, ["bash", "-e"], script.replace("curl -s", "curl -sS --fail-with-body"))
        for script in scripts
    ]
    trading, replay, halted, accounts, faults = said
    assert '"limit_price":"1.5"' in trading and '"SPY":' in trading
    assert '"paused":true' in replay and '"speed":20.0' in replay
    assert '"symbol":"SPY"' in halted and '"seconds":30' in halted
    assert accounts.count('"kind":"forward_split"') == accounts.count('"kind":"cash_dividend"') == 2
    assert '"kind":"lose_response"' in faults
    assert exchange.floor.faults.armed == []


async def test_javascript(exchange: ExchangeServer) -> None:
    if shutil.which("node") is None:
        pytest.skip("no node")
    (script,) = snippets("js")
    said = await run(
        exchange, ["node", "--no-warnings", "--experimental-websocket", "--input-type=module", "-"], script
    )
    assert {"new 0", "fill 1"} <= set(said.splitlines())
    assert re.search("^200 ", said, re.MULTILINE)


def test_every_fault_is_on_the_page() -> None:
    page = PAGE.read_text()
    assert [kind for kind in FaultKind if f"`{kind}`" not in page and kind is not FaultKind.CLEAR] == []


def test_the_options_that_the_page_names_exist() -> None:
    named = set(re.findall(r"`--([a-z-]+)", PAGE.read_text())) - {"help", "experimental-websocket", "venues"}
    known = {name.replace("_", "-") for name in ExchangeOptions.__dataclass_fields__}
    assert {name.removeprefix("no-") for name in named} <= known
