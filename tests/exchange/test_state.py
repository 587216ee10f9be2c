"""What the exchange remembers: across a kill, across a change of symbols, and in the middle of a recording."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from engine.domain.errors import ConfigurationError, DataError, UnavailableError
from engine.exchange.server import ExchangeOptions, ExchangeServer
from engine.exchange.store import FILE_NAME, Store
from tests.exchange.conftest import WAIT
from tests.waiting import until_async

HISTORY = "/account/portfolio/history?timeframe=1Min&period=1D"
KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}


class Client:
    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._session = session

    async def __call__(self, method: str, path: str, **body: Any) -> Any:
        async with self._session.request(method, self.url + "/v2" + path, json=body or None) as answer:
            return None if answer.status == 204 else await answer.json()

    async def filled(self, client_order_id: str) -> Any:
        async def found() -> Any:
            order = await self("GET", f"/orders:by_client_order_id?client_order_id={client_order_id}")
            return order if order["status"] == "filled" else None

        return await until_async(found)


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession(headers=KEYS) as session:
        yield Client(url, session)


@asynccontextmanager
async def child(state: Path, *more: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, Client]]:
    """The exchange as a process of its own; killed, not stopped, at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "engine.cli",
        "exchange",
        "--state",
        str(state),
        "--symbols",
        "SPY,TSLA,BTC/USD",
        *more,
        stdout=-1,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WAIT):
            ready = (await process.stdout.readline()).decode()
        async with client(ready.split()[1]) as found:
            yield process, found
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def test_a_killed_exchange_comes_back_with_its_orders_fills_cash_and_positions(tmp_path: Path) -> None:
    limit = {"symbol": "TSLA", "qty": "3", "side": "buy", "type": "limit", "time_in_force": "gtc", "limit_price": "9"}
    market = {"symbol": "SPY", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
    async with child(tmp_path) as (process, call):
        await call("POST", "/orders", **limit, client_order_id="resting")
        await call("POST", "/orders", **market, client_order_id="done")
        bought = await call.filled("done")
        account = await call("GET", "/account")
        activities = await call("GET", "/account/activities/FILL")
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with child(tmp_path) as (process, call):
        assert await call("GET", "/orders:by_client_order_id?client_order_id=done") == bought
        again = await call("GET", "/account")
        assert (again["cash"], again["id"]) == (account["cash"], account["id"])
        assert await call("GET", "/account/activities/FILL") == activities
        (position,) = await call("GET", "/positions")
        assert (position["symbol"], position["qty"]) == ("SPY", "10")
        change = Decimal(position["current_price"]) / Decimal(bought["filled_avg_price"])
        assert abs(change - 1) < Decimal("0.005")
        (resting,) = await call("GET", "/orders")
        assert resting["client_order_id"] == "resting"
        refused = await call("POST", "/orders", **limit, client_order_id="done")
        assert refused["code"] == 40010001
        assert await call("DELETE", f"/orders/{resting['id']}") is None
        assert await call("GET", "/orders") == []


async def test_everything_an_account_has_survives_a_kill_in_the_middle_of_the_day(tmp_path: Path) -> None:
    coins = {"symbol": "BTC/USD", "qty": "0.5", "side": "buy", "type": "market", "time_in_force": "gtc"}
    trail = {"symbol": "TSLA", "qty": "2", "side": "buy", "type": "trailing_stop", "time_in_force": "gtc"}
    asked = ("/watchlists", "/account/configurations", "/account/activities?direction=asc", "/orders?status=all")
    async with child(tmp_path, "--speed", "60") as (process, call):
        await call("POST", "/orders", **coins, client_order_id="coins")
        await call.filled("coins")
        await call("POST", "/orders", **trail, trail_percent="30", client_order_id="trail")
        await call("POST", "/watchlists", name="mine", symbols=["SPY", "TSLA"])
        await call("PATCH", "/account/configurations", no_shorting=True, max_margin_multiplier="1")

        async def history() -> Any:
            found = await call("GET", HISTORY)
            return found if len(found["timestamp"]) > 2 else None

        points = await until_async(history)
        before = [await call("GET", path) for path in asked]
        position = (await call("GET", "/positions"))[0]
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with child(tmp_path) as (process, call):
        after = [await call("GET", path) for path in asked]
        # The price that a trailing stop follows goes on moving, and never back.
        (old, _), (new, _) = ([order.pop("hwm") for order in orders] for orders in (before[-1], after[-1]))
        assert Decimal(new) <= Decimal(old)
        assert after == before
        assert [activity["activity_type"] for activity in after[2]] == ["FILL", "CFEE"]
        again = (await call("GET", "/positions"))[0]
        assert (again["symbol"], again["qty"]) == ("BTCUSD", "0.49875")
        assert (again["qty"], again["avg_entry_price"]) == (position["qty"], position["avg_entry_price"])
        told = await call("GET", HISTORY)
        assert set(points["timestamp"][:-1]) <= set(told["timestamp"])
        for client_order_id in ("coins", "trail"):
            assert (await call("POST", "/orders", **coins, client_order_id=client_order_id))["code"] == 40010001


async def test_nothing_that_was_told_is_lost_when_the_exchange_is_killed_under_load(tmp_path: Path) -> None:
    told = Told()
    async with child(tmp_path) as (process, call):
        tasks = [asyncio.create_task(told.listen(call.url)), *(asyncio.create_task(told.trade(call)) for _ in range(4))]
        await asyncio.wait_for(told.enough.wait(), WAIT)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    async with child(tmp_path) as (process, call):
        orders = await pages(call, "/orders?status=all&limit=500&direction=asc", "after", "submitted_at")
        assert told.orders <= {order["id"] for order in orders}
        fills = await pages(call, "/account/activities/FILL?direction=asc&page_size=100", "page_token", "id")
        assert told.executions <= {fill["execution_id"] for fill in fills}
        signed = [(1 if fill["side"] == "buy" else -1, Decimal(fill["qty"]), Decimal(fill["price"])) for fill in fills]
        cash = 100_000 - sum(sign * quantity * price for sign, quantity, price in signed)
        assert Decimal((await call("GET", "/account"))["cash"]) == cash
        held = {position["symbol"]: Decimal(position["qty"]) for position in await call("GET", "/positions")}
        assert held.get("SPY", 0) == sum(sign * quantity for sign, quantity, _ in signed)


class Told:
    """What an exchange said before it was killed."""

    def __init__(self) -> None:
        self.orders: set[str] = set()
        self.executions: set[str] = set()
        self.enough = asyncio.Event()

    async def trade(self, call: Client) -> None:
        while True:
            side = "buy" if len(self.orders) % 3 else "sell"
            order = {"symbol": "SPY", "qty": "1", "side": side, "type": "market", "time_in_force": "day"}
            answer = await call("POST", "/orders", **order)
            self.orders |= {answer["id"]} if "id" in answer else set()

    async def listen(self, url: str) -> None:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/stream") as socket:
            await socket.send_json({"action": "auth", "key": "key", "secret": "secret"})
            await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
            async for message in socket:
                execution_id = json.loads(message.data)["data"].get("execution_id")
                self.executions |= {execution_id} if execution_id else set()
                if len(self.executions) >= 150:
                    self.enough.set()


async def pages(call: Client, path: str, token: str, key: str) -> list[Any]:
    """All rows of a list that is served a page at a time."""
    rows: list[Any] = []
    while page := await call("GET", f"{path}&{token}={rows[-1][key]}" if rows else path):
        rows += page
    return rows


async def test_a_bracket_goes_on_after_a_restart(tmp_path: Path) -> None:
    options = ExchangeOptions(symbols=("SPY",), state=tmp_path, partial_fills=0.0)
    entry = {"symbol": "SPY", "qty": "5", "side": "buy", "type": "limit", "time_in_force": "gtc", "limit_price": "10"}
    exits = {"take_profit": {"limit_price": "2000"}, "stop_loss": {"stop_price": "5"}}
    async with ExchangeServer(options) as server, client(server.url) as call:
        sent = await call("POST", "/orders", **entry, **exits, order_class="bracket")
    async with ExchangeServer(options) as server, client(server.url) as call:
        (order,) = await call("GET", "/orders?nested=true")
        assert [leg["status"] for leg in order["legs"]] == ["held", "held"]
        await call("PATCH", f"/orders/{sent['id']}", limit_price="1900", client_order_id="raised")
        await call.filled("raised")
        assert {leg["status"] for leg in await call("GET", "/orders")} == {"new"}
    async with ExchangeServer(options) as server, client(server.url) as call:
        profit, _ = sorted(await call("GET", "/orders"), key=lambda leg: leg["type"])
        assert (await call("GET", "/positions"))[0]["qty_available"] == "0"
        assert await call("DELETE", f"/orders/{profit['id']}") is None
        assert await call("GET", "/orders") == []
        assert (await call("GET", "/positions"))[0]["qty_available"] == "5"


async def test_a_state_folder_serves_one_exchange_at_a_time(tmp_path: Path) -> None:
    options = ExchangeOptions(symbols=("SPY",), state=tmp_path)
    async with ExchangeServer(options):
        with pytest.raises(UnavailableError, match="Another exchange is using"):
            await ExchangeServer(options).start()
    async with ExchangeServer(options) as again:
        assert again.url


async def test_a_damaged_state_file_is_told_and_kept(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    file.write_bytes(b"not a database at all" * 500)
    with pytest.raises(DataError, match="cannot be read"):
        await ExchangeServer(ExchangeOptions(symbols=("SPY",), state=tmp_path)).start()
    assert file.read_bytes().startswith(b"not a database")


async def test_what_cannot_be_kept_is_not_told_and_ends_the_exchange(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise OSError("no space left on device")

    async with ExchangeServer(ExchangeOptions(symbols=("SPY",), state=tmp_path)) as server, client(server.url) as call:
        await call("GET", "/account")
        monkeypatch.setattr(Store, "write", full)
        order = {"symbol": "SPY", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
        assert (await call("POST", "/orders", **order))["code"] == 50010000
        with pytest.raises(UnavailableError, match="no space"):
            await asyncio.wait_for(server.wait(asyncio.Event()), WAIT)


@pytest.mark.parametrize("wrong", [{"port": 70_000}, {"speed": 0.0}, {"speed": float("nan")}, {"symbols": ()}])
def test_options_that_make_no_sense_are_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        ExchangeOptions(**wrong)
    assert caught.value.remedy


async def test_what_is_held_stays_listed_when_the_symbols_change(tmp_path: Path) -> None:
    await hold(ExchangeOptions(symbols=("SPY", "TSLA"), state=tmp_path), "TSLA")
    async with ExchangeServer(ExchangeOptions(symbols=("SPY",), state=tmp_path)) as server, client(server.url) as call:
        assert {asset["symbol"] for asset in await call("GET", "/assets")} == {"SPY", "TSLA"}
        assert [position["symbol"] for position in await call("GET", "/positions")] == ["TSLA"]


async def test_a_recording_refuses_accounts_with_positions_it_cannot_price(tmp_path: Path, shared_data: Path) -> None:
    await hold(ExchangeOptions(symbols=("IBM",), replay=shared_data, state=tmp_path, speed=60.0), "IBM")
    with pytest.raises(ConfigurationError, match="IBM"):
        await ExchangeServer(ExchangeOptions(symbols=("AIG",), replay=shared_data, state=tmp_path)).start()


async def test_a_recording_and_the_simulation_keep_accounts_apart(tmp_path: Path, shared_data: Path) -> None:
    await hold(ExchangeOptions(symbols=("TSLA",), state=tmp_path), "TSLA")
    options = ExchangeOptions(symbols=("AIG",), replay=shared_data, state=tmp_path)
    async with ExchangeServer(options) as server, client(server.url) as call:
        assert await call("GET", "/positions") == []
        assert (await call("GET", "/clock"))["timestamp"].startswith("2013-10-07")


async def test_a_replay_goes_on_where_it_was_stopped(tmp_path: Path, shared_data: Path) -> None:
    options = ExchangeOptions(symbols=("AIG",), replay=shared_data, state=tmp_path, speed=3000.0, partial_fills=0.0)
    first = await hold(options, "AIG")
    async with ExchangeServer(options) as server, client(server.url) as call:
        assert (await call("GET", "/clock"))["timestamp"] > first["filled_at"]
        assert (await call("GET", "/orders:by_client_order_id?client_order_id=hold")) == first
        assert (await call("GET", "/positions"))[0]["avg_entry_price"] == first["filled_avg_price"]


async def test_the_portfolio_history_goes_on_after_a_restart(tmp_path: Path) -> None:
    options = ExchangeOptions(symbols=("SPY",), state=tmp_path, speed=600.0)
    async with ExchangeServer(options) as server, client(server.url) as call:

        async def several() -> Any:
            times = (await call("GET", HISTORY))["timestamp"]
            return times if len(times) > 3 else None

        first = await until_async(several)
    async with ExchangeServer(options) as server, client(server.url) as call:
        again = (await call("GET", HISTORY))["timestamp"]
        assert set(first[:-1]) <= set(again)


async def hold(options: ExchangeOptions, symbol: str) -> Any:
    """Buy ten shares; the exchange is gone when this returns."""
    async with ExchangeServer(options) as server, client(server.url) as call:
        order = {"symbol": symbol, "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
        await call("POST", "/orders", **order, client_order_id="hold")
        return await call.filled("hold")
