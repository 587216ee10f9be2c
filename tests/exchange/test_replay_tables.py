"""Recordings of quotes alone and of minute bars alone."""

from __future__ import annotations

from datetime import date, time
from pathlib import Path
from typing import Any

import aiohttp
import polars
import pytest

from engine.domain.errors import DataError
from engine.domain.market import NANOSECONDS, Quote, Trade
from engine.exchange.prices.recording import choose_day, recorded_symbols
from engine.exchange.prices.replay import ReplayPrices
from engine.exchange.server import ExchangeOptions, ExchangeServer
from engine.exchange.sessions import at_new_york
from tests.waiting import until

DAY = date(2013, 10, 7)
OPEN, CLOSE = at_new_york(DAY, time(9, 30)), at_new_york(DAY, time(16))
MINUTE = 60 * NANOSECONDS
KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}


@pytest.fixture
def bars_alone(shared_data: Path, tmp_path: Path) -> Path:
    (tmp_path / "bars_1min").mkdir()
    for symbol in ("IBM", "AIG"):
        (tmp_path / "bars_1min" / f"{symbol}.parquet").symlink_to(shared_data / "bars_1min" / f"{symbol}.parquet")
    return tmp_path


@pytest.fixture
def quotes_alone(shared_data: Path, tmp_path: Path) -> Path:
    (tmp_path / "quotes" / "IBM").mkdir(parents=True)
    name = f"quotes/IBM/{DAY}.parquet"
    (tmp_path / name).symlink_to(shared_data / name)
    return tmp_path


async def test_minute_bars_alone_are_served_again_as_they_were_recorded(bars_alone: Path) -> None:
    options = ExchangeOptions(
        symbols=("IBM", "AIG"), replay=bars_alone, day=DAY.isoformat(), start_at="09:30", speed=100_000.0
    )
    async with ExchangeServer(options) as server, aiohttp.ClientSession(server.url, headers=KEYS) as session:
        await until(lambda: server.venue.now > CLOSE + MINUTE)
        query = {"symbols": "IBM,AIG", "timeframe": "1Min", "start": f"{DAY}T08:00:00Z", "end": f"{DAY}T19:59:00Z"}
        async with session.get("/v2/stocks/bars", params=query | {"limit": "10000"}) as answer:
            served: dict[str, list[dict[str, Any]]] = (await answer.json())["bars"]
    for symbol in ("IBM", "AIG"):
        rows = [row for row in recorded(bars_alone, symbol) if row["timestamp"] < CLOSE]
        assert len(served[symbol]) == len(rows) > 389
        for bar, row in zip(served[symbol], rows, strict=True):
            assert [bar[k] for k in "ohlc"] == pytest.approx([row[k] for k in ("open", "high", "low", "close")])
            assert bar["v"] == pytest.approx(row["volume"])


def recorded(folder: Path, symbol: str) -> list[dict[str, Any]]:
    bars = polars.read_parquet(folder / "bars_1min" / f"{symbol}.parquet")
    bars = bars.with_columns(polars.col("timestamp").dt.timestamp("ns"))
    start = at_new_york(DAY, time())
    return bars.filter(polars.col("timestamp").is_between(start, start + 1_440 * MINUTE - 1)).to_dicts()


def test_a_bar_is_four_prints_inside_a_quote(bars_alone: Path) -> None:
    source = ReplayPrices(bars_alone, ["IBM"], DAY.isoformat())
    source.step(OPEN - 1)
    events = source.step(OPEN + MINUTE - 1)
    prints = [event for event in events if isinstance(event, Trade)]
    quotes = [event for event in events if isinstance(event, Quote)]
    assert len(prints) == len(quotes) == 4
    assert all(q.bid_price <= p.price <= q.ask_price for q, p in zip(quotes, prints, strict=True))
    assert all(p.size == round(p.size) for p in prints)
    assert all(OPEN < p.timestamp < OPEN + MINUTE for p in prints)


def test_quotes_alone_print_nothing_and_orders_fill_at_them(quotes_alone: Path) -> None:
    source = ReplayPrices(quotes_alone, [], DAY.isoformat())
    assert source.symbols == ("IBM",)
    events = source.step(OPEN + MINUTE)
    assert events
    assert {type(event) for event in events} == {Quote}


async def test_an_order_fills_at_recorded_quotes_without_a_print(quotes_alone: Path) -> None:
    options = ExchangeOptions(replay=quotes_alone, partial_fills=0.0)
    async with ExchangeServer(options) as server, aiohttp.ClientSession(server.url, headers=KEYS) as session:
        order = {"symbol": "IBM", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
        async with session.post("/v2/orders", json=order) as answer:
            order_id = (await answer.json())["id"]
        record = next(iter(server.venue.desks.values())).find(order_id)
        assert record is not None
        await until(lambda: record.status.value == "filled")
        assert record.filled_value / record.filled_quantity == pytest.approx(182, abs=3)
        async with session.get("/v2/stocks/IBM/trades/latest") as answer:
            assert answer.status == 404
        async with session.get("/v2/positions/IBM") as answer:
            assert float((await answer.json())["current_price"]) == pytest.approx(182, abs=3)


def test_days_of_bars_are_those_of_the_file(bars_alone: Path) -> None:
    assert recorded_symbols(bars_alone) == ("AIG", "IBM")
    assert choose_day(bars_alone, ("AIG", "IBM"), None) == "2013-10-04"
    with pytest.raises(DataError, match="2013-10-05"):
        choose_day(bars_alone, ("AIG",), "2013-10-05")
    (bars_alone / "bars_1min" / "BAD.parquet").write_bytes(b"no")
    with pytest.raises(DataError, match=r"BAD\.parquet"):
        choose_day(bars_alone, ("BAD",), None)
