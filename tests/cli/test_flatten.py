"""`paddock flatten` and `paddock journal` as a person types them, against a real exchange, with no console running."""

from __future__ import annotations

import asyncio
import csv
import json
import socket
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from engine.exchange.server import ExchangeOptions, ExchangeServer
from engine.installation import Installation

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[ExchangeServer]:
    options = ExchangeOptions(symbols=("SPY", "AAPL", "BTC/USD"), partial_fills=0.0, recent_minutes=1)
    async with ExchangeServer(options) as server:
        configure(tmp_path, server.url)
        yield server


async def paddock(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine.cli", *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def ask(exchange: ExchangeServer, method: str, path: str, **body: Any) -> Any:
    async with (
        aiohttp.ClientSession(headers=KEYS) as session,
        session.request(method, exchange.url + path, json=body or None) as answer,
    ):
        assert answer.status < 300, await answer.text()
        return await answer.json()


async def order(exchange: ExchangeServer, symbol: str, qty: str, **fields: str) -> None:
    body = {"symbol": symbol, "qty": qty, "side": "buy", "type": "market", "time_in_force": "day"} | fields
    await ask(exchange, "POST", "/v2/orders", **body)


async def test_everything_is_cancelled_and_closed_and_the_journal_tells_of_it(
    exchange: ExchangeServer, tmp_path: Path
) -> None:
    await order(exchange, "SPY", "3")
    await order(exchange, "BTC/USD", "0.01", time_in_force="gtc")
    await order(exchange, "AAPL", "5", type="limit", limit_price="1.00")
    code, out, err = await paddock("flatten", "--paper", "--data", str(tmp_path))
    assert code == 0, out + err
    assert "FLAT CONFIRMED" in out
    assert await ask(exchange, "GET", "/v2/orders") == []
    assert await ask(exchange, "GET", "/v2/positions") == []

    code, shown, _ = await paddock("journal", "show", "--paper", "--data", str(tmp_path))
    assert code == 0
    assert "sell 3 SPY" in shown
    assert "trading_state = HALTED|paddock flatten" in shown
    code, verified, _ = await paddock("journal", "verify", "--paper", "--data", str(tmp_path))
    assert (code, "none changed" in verified) == (0, True)


async def test_only_orders_are_cancelled_when_positions_are_to_be_kept(
    exchange: ExchangeServer, tmp_path: Path
) -> None:
    await order(exchange, "SPY", "3")
    await order(exchange, "AAPL", "5", type="limit", limit_price="1.00")
    code, out, err = await paddock("flatten", "--paper", "--keep-positions", "--data", str(tmp_path))
    assert code == 0, out + err
    assert "NO ORDER OPEN" in out
    assert [position["symbol"] for position in await ask(exchange, "GET", "/v2/positions")] == ["SPY"]


async def test_it_works_while_a_console_holds_the_folder(exchange: ExchangeServer, tmp_path: Path) -> None:
    await order(exchange, "SPY", "3")
    with Installation(tmp_path, "paper"):
        code, out, err = await paddock("flatten", "--paper", "--data", str(tmp_path))
    assert code == 0, out + err
    assert "Another Paddock" in err
    assert await ask(exchange, "GET", "/v2/positions") == []


async def test_a_venue_that_is_not_there_is_no_success(tmp_path: Path) -> None:
    configure(tmp_path, "http://127.0.0.1:9")
    code, out, err = await paddock("flatten", "--paper", "--patience", "2", "--data", str(tmp_path))
    assert code == 1
    assert "cannot be reached" in err
    assert "NOT CONFIRMED in 2 seconds" in out


async def test_of_a_venue_that_takes_requests_and_never_answers_it_is_told_while_it_is_asked(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        configure(tmp_path, f"http://127.0.0.1:{mute.getsockname()[1]}")
        code, out, err = await paddock("flatten", "--paper", "--patience", "2", "--data", str(tmp_path))
    assert code == 1
    assert "NOTHING IS CONFIRMED YET" in err
    assert "NOT CONFIRMED in 2 seconds" in out


async def test_a_venue_that_answers_again_is_flattened_all_the_same(exchange: ExchangeServer, tmp_path: Path) -> None:
    await order(exchange, "SPY", "3")
    await ask(exchange, "POST", "/paddock/faults", kind="http_status", status=503, count=8)
    code, out, err = await paddock("flatten", "--paper", "--data", str(tmp_path))
    assert code == 0, out + err
    assert "It is asked again" in err
    assert await ask(exchange, "GET", "/v2/positions") == []


def configure(folder: Path, url: str) -> None:
    (folder / "paddock.toml").write_text(
        f'[alpaca.paper]\nkey = "key"\nsecret = "secret"\nurl = "{url}"\n', encoding="utf-8"
    )


async def test_the_demo_and_an_unconfirmed_live_account_are_refused(tmp_path: Path) -> None:
    code, _, err = await paddock("flatten", "--data", str(tmp_path))
    assert (code, "lives and ends with its console" in err) == (64, True)
    (tmp_path / "paddock.toml").write_text('[alpaca.live]\nkey = "key"\nsecret = "secret"\n', encoding="utf-8")
    code, out, err = await paddock("flatten", "--live", "--data", str(tmp_path))
    assert code == 1
    assert "LIVE account" in out + err


async def test_a_changed_row_is_found_and_rows_are_exported(exchange: ExchangeServer, tmp_path: Path) -> None:
    await order(exchange, "SPY", "3")
    await paddock("flatten", "--paper", "--data", str(tmp_path))
    for name in ("rows.csv", "rows.jsonl"):
        code, out, err = await paddock("journal", "export", str(tmp_path / name), "--paper", "--data", str(tmp_path))
        assert code == 0, out + err
    with (tmp_path / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["hash"] for row in rows] == [line["hash"] for line in lines]
    assert any(row["kind"] == "fill" and row["symbol"] == "SPY" for row in rows)

    row = next(int(row["number"]) for row in rows if row["kind"] == "fill")
    path = tmp_path / "paper" / "orders.db"
    with sqlite3.connect(path) as database:
        database.execute("UPDATE trail SET body = CAST(replace(body, 'SPY', 'QQQ') AS BLOB) WHERE number = ?", (row,))
    database.close()
    code, _, err = await paddock("journal", "verify", "--paper", "--data", str(tmp_path))
    assert (code, f"was altered at row {row}" in err) == (65, True)
