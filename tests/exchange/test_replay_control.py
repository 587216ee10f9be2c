"""A replay paused, sped up, sought in and looped while clients are connected: time never runs backward for them."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import polars
import pytest

from engine.domain.market import NANOSECONDS
from engine.exchange.server import ExchangeOptions, ExchangeServer
from engine.exchange.sessions import NEW_YORK, at_new_york, new_york
from tests.exchange.stream_clients import data_socket, receive, send
from tests.waiting import until, until_async

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
FRIDAY = date(2024, 3, 8)
"""The day before New York's clocks go forward."""
MONDAY = FRIDAY + timedelta(days=3)


class Api:
    """Requests of one client."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def __call__(self, method: str, path: str, status: int = 200, **body: Any) -> Any:
        async with self._session.request(method, path, json=body or None) as answer:
            assert answer.status == status, await answer.text()
            return await answer.json() if answer.content_length else None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One Friday of SPY: a print a minute from 09:00 to 17:00, each a cent above the one before."""
    minutes = 8 * 60
    start = at_new_york(FRIDAY, time(9))
    frame = polars.DataFrame(
        {
            "timestamp": [start + index * 60 * NANOSECONDS for index in range(minutes)],
            "price": [100 + index / 100 for index in range(minutes)],
            "size": [100] * minutes,
            "exchange": ["P"] * minutes,
            "condition": ["1"] * minutes,
            "suspicious": [False] * minutes,
        }
    ).with_columns(polars.col("timestamp").cast(polars.Datetime("ns", "UTC")))
    path = tmp_path / "trades" / "SPY" / f"{FRIDAY}.parquet"
    path.parent.mkdir(parents=True)
    frame.write_parquet(path)
    return tmp_path


@asynccontextmanager
async def replay(folder: Path, **fields: Any) -> AsyncIterator[tuple[ExchangeServer, Api]]:
    settings: dict[str, Any] = {"symbols": ("SPY",), "replay": folder, "speed": 1.0, "partial_fills": 0.0} | fields
    async with (
        ExchangeServer(ExchangeOptions(**settings)) as server,
        aiohttp.ClientSession(server.url, headers=KEYS) as session,
    ):
        yield server, Api(session)


def wall(server: ExchangeServer) -> datetime:
    return new_york(server.venue.now)


def reached(server: ExchangeServer, day: date, clock: time) -> Callable[[], bool]:
    return lambda: wall(server) >= datetime.combine(day, clock, NEW_YORK)


async def test_a_paused_market_stands_still_and_goes_on_from_there(folder: Path) -> None:
    async with replay(folder, speed=600.0) as (server, api):
        await api("POST", "/paddock/replay", pause=True)
        await api("GET", "/paddock/replay")
        still = server.venue.now
        steps = server.counters.steps
        assert (await api("GET", "/v2/clock"))["paddock_speed"] == 0.0
        assert server.venue.now == still
        assert server.counters.steps == steps
        shown = await api("POST", "/paddock/replay", pause=False, speed=6_000.0)
        assert (shown["paused"], shown["speed"]) == (False, 6_000.0)
        await until(lambda: server.venue.now > still)


async def test_seeking_forward_runs_through_what_lies_between(folder: Path) -> None:
    async with replay(folder) as (server, api):
        order = {"symbol": "SPY", "qty": "1", "side": "sell", "type": "limit", "time_in_force": "day"}
        sent = await api("POST", "/v2/orders", **order, limit_price="101.00")
        await api("POST", "/paddock/replay", seek="12:00")
        await until(reached(server, FRIDAY, time(12)))
        found = await api("GET", f"/v2/orders/{sent['id']}")
        assert found["status"] == "filled"
        assert new_york(at(found["filled_at"])).time() < time(12)
        bars = await api("GET", f"/v2/stocks/SPY/bars?timeframe=1Min&start={FRIDAY}T14:30:00Z")
        assert len(bars["bars"]) == 150


def at(text: str) -> int:
    return int(datetime.fromisoformat(text[:19] + "+00:00").timestamp()) * NANOSECONDS


async def test_seeking_backward_is_another_day_and_ends_what_was_good_for_the_day(folder: Path) -> None:
    async with replay(folder) as (server, api):
        await api("POST", "/paddock/replay", seek="14:00")
        await until(reached(server, FRIDAY, time(14)))
        order = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "limit", "limit_price": "100.50"}
        day = await api("POST", "/v2/orders", **order, time_in_force="day")
        kept = await api("POST", "/v2/orders", **order, time_in_force="gtc")
        before = server.venue.now
        shown = await api("POST", "/paddock/replay", seek="10:15")
        assert shown["recording"]["rounds"] == 1
        await until(reached(server, MONDAY, time(10, 15)))
        assert server.venue.now > before
        assert wall(server) < datetime.combine(MONDAY, time(10, 16), NEW_YORK)
        assert (await api("GET", f"/v2/orders/{day['id']}"))["status"] == "expired"
        # It has seen the morning at 100.50 again.
        assert (await api("GET", f"/v2/orders/{kept['id']}"))["status"] == "filled"
        assert (await api("GET", "/v2/stocks/SPY/trades/latest"))["trade"]["p"] == pytest.approx(100.75)


async def test_a_loop_plays_the_day_again_as_the_next_weekday_and_time_only_goes_forward(folder: Path) -> None:
    async with replay(folder, speed=50_000.0, loop=True) as (server, api):
        async with data_socket(server) as socket:
            await send(socket, {"action": "subscribe", "trades": ["SPY"], "dailyBars": ["SPY"]})
            await receive(socket)
            messages = []
            while server.venue.source.rounds < 2:  # type: ignore[attr-defined]
                messages += await receive(socket)
        times = [message["t"] for message in messages if message["T"] == "t"]
        assert times == sorted(set(times))
        await api("POST", "/paddock/replay", pause=True)
        days = await api("GET", f"/v2/stocks/SPY/bars?timeframe=1Day&start={FRIDAY}")
        opens = [new_york(at(day["t"])) for day in days["bars"]]
        assert [day.date() for day in opens[:2]] == [FRIDAY, MONDAY]
        assert {day.time() for day in opens} == {time()}
        same = [(day["o"], day["h"], day["l"], day["c"]) for day in days["bars"][:2]]
        assert same[0] == same[1]
        minutes = await api("GET", f"/v2/stocks/SPY/bars?timeframe=1Min&start={FRIDAY}&limit=10000")
        starts = [at(bar["t"]) for bar in minutes["bars"]]
        assert all(one < other for one, other in itertools.pairwise(starts))


async def test_a_looped_replay_is_taken_up_on_the_day_it_had_come_to(folder: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with replay(folder, speed=50_000.0, loop=True, state=state) as (server, _):
        await until(reached(server, MONDAY, time(10)))
        stopped = server.venue.now
    async with replay(folder, state=state) as (server, api):
        assert server.venue.now >= stopped
        assert wall(server).weekday() < 5
        assert (await api("GET", "/v2/clock"))["timestamp"] > MONDAY.isoformat()


async def test_a_recording_that_has_ended_stays_closed_without_a_loop(folder: Path) -> None:
    async with replay(folder, speed=50_000.0) as (server, api):

        async def closed() -> bool:
            return not (await api("GET", "/v2/clock"))["is_open"]

        await until(reached(server, FRIDAY, time(17, 30)))
        assert await until_async(closed)
        assert server.venue.source.rounds == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "body",
    [{"seek": "25:00"}, {"seek": "now"}, {"speed": 0}, {"speed": -1}, {"speed": 1e9}, {"pause": "x"}, {"stop": 1}],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(folder: Path, body: dict[str, Any]) -> None:
    async with replay(folder) as (server, api):
        await api("POST", "/paddock/replay", 422, **body)
        assert (server.floor.clock.speed, server.floor.clock.is_paused) == (1.0, False)


async def test_a_simulation_can_be_paused_and_halted_and_not_sought_in(exchange: ExchangeServer) -> None:
    async with aiohttp.ClientSession(exchange.url, headers=KEYS) as session:
        api = Api(session)
        await api("POST", "/paddock/replay", 422, seek="10:15")
        assert (await api("POST", "/paddock/replay", speed=30.0))["recording"] is None
        await api("POST", "/paddock/halt", 404, symbol="NONE")
        await api("POST", "/paddock/halt", 422, symbol="SPY", seconds=-1)
        async with data_socket(exchange) as socket:
            await send(socket, {"action": "subscribe", "statuses": ["SPY"]})
            await receive(socket)
            assert await api("POST", "/paddock/halt", symbol="SPY", seconds=30) == {"symbol": "SPY", "seconds": 30.0}
            assert [(await receive(socket))[0]["sc"] for _ in range(2)] == ["H", "T"]
        async with session.post("/paddock/halt", data="{}", headers={"Content-Type": "text/plain"}) as answer:
            assert answer.status == 403


async def test_an_order_in_a_halted_stock_waits_until_it_trades_again(exchange: ExchangeServer) -> None:
    async with aiohttp.ClientSession(exchange.url, headers=KEYS) as session:
        api = Api(session)
        await api("POST", "/paddock/replay", speed=10.0)
        async with data_socket(exchange) as socket:
            await send(socket, {"action": "subscribe", "statuses": ["SPY"]})
            await receive(socket)
            await api("POST", "/paddock/halt", symbol="SPY", seconds=20)
            (halted,) = await receive(socket)
            order = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
            sent = await api("POST", "/v2/orders", **order)
            assert (await api("GET", f"/v2/orders/{sent['id']}"))["status"] in ("new", "accepted")
            (resumed,) = await receive(socket)

            async def filled() -> Any:
                found = await api("GET", f"/v2/orders/{sent['id']}")
                return found if found["status"] == "filled" else None

            found = await until_async(filled)
    assert (halted["sc"], resumed["sc"]) == ("H", "T")
    assert found["filled_at"] >= resumed["t"]
