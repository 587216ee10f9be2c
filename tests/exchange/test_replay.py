"""A recorded day of real trades and quotes, replayed."""

from __future__ import annotations

import asyncio
import json
from datetime import date, time
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import polars
import pytest

from engine.domain.errors import DataError
from engine.domain.market import Bar, Quote, Trade
from engine.exchange.prices.replay import ReplayPrices
from engine.exchange.server import ExchangeOptions, ExchangeServer
from engine.exchange.sessions import at_new_york
from engine.exchange.tape import Tape
from tests.exchange.conftest import WAIT
from tests.waiting import until_async

DAY = "2013-10-07"
KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
MINUTE = 60_000_000_000
OPEN, CLOSE = (at_new_york(date.fromisoformat(DAY), clock) for clock in (time(9, 30), time(16)))


def test_every_recorded_print_is_told_once_and_in_order(shared_data: Path) -> None:
    source = ReplayPrices(shared_data, ["SPY"], DAY)
    assert source.end is not None
    times = [e.timestamp for end in range(source.tape_start, source.end + MINUTE, MINUTE) for e in trades(source, end)]
    assert len(times) == 250_601
    assert times == sorted(times)


def trades(source: ReplayPrices, until: int) -> list[Trade]:
    return [event for event in source.step(until) if isinstance(event, Trade)]


def test_the_best_quote_is_never_crossed_and_prices_are_whole_cents(shared_data: Path) -> None:
    source = ReplayPrices(shared_data, ["IBM"], DAY)
    quotes = [event for event in source.step(OPEN + 5 * MINUTE) if isinstance(event, Quote)]
    sided = [quote for quote in quotes if quote.bid_price and quote.ask_price]
    assert len(sided) > 500
    assert all(quote.bid_price <= quote.ask_price for quote in sided)
    assert all(quote.ask_price == round(quote.ask_price, 2) for quote in sided)


def test_bars_agree_with_the_official_ones(shared_data: Path) -> None:
    """Sale conditions keep prints out that set no price; the few differences are late reports."""
    source = ReplayPrices(shared_data, ["AIG"], DAY)
    tape = Tape(source, 1_000)
    made: dict[int, Bar] = {}
    for event in source.step(CLOSE):
        if (bar := tape.on_event(event, True)) is not None:
            made[bar.timestamp] = bar
    made |= {bar.timestamp: bar for bar in tape.close_minutes(CLOSE)}
    official = polars.read_parquet(shared_data / "bars_1min" / "AIG.parquet")
    official = official.with_columns(polars.col("timestamp").dt.timestamp("ns"))
    rows = official.filter(polars.col("timestamp").is_between(OPEN, CLOSE - MINUTE)).to_dicts()
    assert len(rows) >= 389
    for name, share in (("open", 0.99), ("high", 0.99), ("low", 0.99), ("close", 0.99), ("volume", 0.98)):
        alike = [abs(getattr(made[row["timestamp"]], name) - row[name]) < 1e-6 for row in rows]
        assert np.mean(alike) >= share, name


async def test_a_replay_streams_fills_orders_and_closes_with_its_recording(shared_data: Path) -> None:
    options = ExchangeOptions(symbols=("AIG",), replay=shared_data, speed=600.0, start_at="15:55", partial_fills=0.0)
    seen: dict[str, int] = {"t": 0, "q": 0, "b": 0}
    async with ExchangeServer(options) as server, aiohttp.ClientSession(server.url, headers=KEYS) as session:
        socket = await subscribed(session)
        order = {"symbol": "AIG", "qty": "100", "side": "buy", "type": "market", "time_in_force": "day"}
        async with session.post("/v2/orders", json=order) as answer:
            order_id = (await answer.json())["id"]
        async with asyncio.timeout(WAIT):
            while seen["b"] < 5:
                for message in json.loads((await socket.receive(WAIT)).data):
                    seen[message["T"]] += 1
        assert (await get(session, f"/v2/orders/{order_id}"))["status"] == "filled"
        assert (await get(session, "/v2/positions/AIG"))["qty"] == "100"

        async def closed() -> Any:
            clock = await get(session, "/v2/clock")
            return None if clock["is_open"] else clock

        clock = await until_async(closed)
        assert clock["paddock_speed"] == 600.0
        assert (await get(session, f"/v2/stocks/bars?symbols=AIG&start={DAY}T19:58:00Z"))["bars"]["AIG"]
        await socket.send_json({"action": "unsubscribe", "trades": ["AIG"], "quotes": ["AIG"]})
        async with asyncio.timeout(WAIT):
            while not any(m["T"] == "subscription" for m in json.loads((await socket.receive()).data)):
                pass
        assert not socket.closed
    assert min(seen.values()) > 0


async def subscribed(session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
    socket = await session.ws_connect("/v2/iex")
    await socket.receive(WAIT)
    await socket.send_json({"action": "auth", "key": "key", "secret": "secret"})
    await socket.receive(WAIT)
    await socket.send_json({"action": "subscribe", "trades": ["AIG"], "quotes": ["AIG"], "bars": ["AIG"]})
    await socket.receive(WAIT)
    return socket


async def get(session: aiohttp.ClientSession, path: str) -> Any:
    async with session.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def test_the_minute_in_which_the_recording_begins_is_served_once(shared_data: Path) -> None:
    options = ExchangeOptions(symbols=("IBM", "AIG"), replay=shared_data, start_at="04:05")
    async with ExchangeServer(options) as server, aiohttp.ClientSession(server.url, headers=KEYS) as session:
        bars = (await get(session, f"/v2/stocks/bars?symbols=IBM,AIG&start=2013-10-04&end={DAY}T08:05:00Z"))["bars"]
    for rows in bars.values():
        times = [row["t"] for row in rows]
        assert times == sorted(set(times))


@pytest.mark.parametrize(
    ("symbols", "day", "message"),
    [(["NONE"], None, "NONE"), (["SPY"], "1999-01-01", "1999-01-01"), (["SPY"], "../x", "not in the recording")],
)
def test_what_was_not_recorded_is_told(shared_data: Path, symbols: list[str], day: str | None, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        ReplayPrices(shared_data, symbols, day)
    assert caught.value.remedy


def test_a_folder_without_a_recording_is_told(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DataError, match="no recording"):
            ReplayPrices(folder, [])
    (tmp_path / "trades" / "SPY").mkdir(parents=True)
    (tmp_path / "trades" / "SPY" / f"{DAY}.parquet").write_bytes(b"not parquet")
    with pytest.raises(DataError, match="cannot be read"):
        ReplayPrices(tmp_path, ["SPY"])
