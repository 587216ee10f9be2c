"""The broker over real sockets: alpaca-py against the local exchange, with the faults a venue has."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from decimal import Decimal

import aiohttp
import pytest

from engine.broker.address import VenueAddress
from engine.broker.alpaca import AlpacaBroker
from engine.broker.base import (
    DuplicateOrderError,
    NotSentError,
    OrderRefusedError,
    OutcomeUnknownError,
    TradeUpdate,
)
from engine.broker.trade_updates import StreamState, TradeUpdates
from engine.clock import SystemClock
from engine.domain.errors import CredentialsError, UnavailableError
from engine.domain.orders import Order, OrderStatus, OrderType, TimeInForce
from engine.exchange.server import ExchangeOptions, ExchangeServer
from tests.broker.venues import order
from tests.waiting import until, until_async


@pytest.fixture
async def exchange() -> AsyncIterator[ExchangeServer]:
    options = ExchangeOptions(symbols=("SPY", "BTC/USD"), partial_fills=0.0, keys={"key": "secret"})
    async with ExchangeServer(options) as server:
        yield server


@pytest.fixture
async def broker(exchange: ExchangeServer) -> AsyncIterator[AlpacaBroker]:
    broker = AlpacaBroker(VenueAddress.local(exchange.url, "key", "secret"), SystemClock(), read_timeout=2)
    await broker.warm_up()
    yield broker
    await broker.close()


def resting(number: int) -> Order:
    return order(number, type=OrderType.LIMIT, limit_price=Decimal("1.00"))


async def fault(exchange: ExchangeServer, **fields: object) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{exchange.url}/paddock/faults", json=fields) as answer,
    ):
        assert answer.status == 200, await answer.text()


async def test_an_order_fills_and_everything_can_be_read_back(broker: AlpacaBroker) -> None:
    sent = await broker.submit(order(1, quantity=Decimal("2")))
    assert sent.client_order_id == "demo-test-" + "1".zfill(26)

    async def filled() -> bool:
        found = await broker.order_by_client_id(sent.client_order_id)
        return found is not None and found.status is OrderStatus.FILLED

    await until_async(filled)
    fills = await broker.fills(after=0)
    assert sum(fill.quantity for fill in fills) == 2
    assert {fill.venue_order_id for fill in fills} == {sent.venue_order_id}
    [position] = await broker.positions()
    assert (position.symbol, position.quantity) == ("SPY", Decimal(2))
    assert [closed.client_order_id for closed in await broker.closed_orders(after=0)] == [sent.client_order_id]
    assert (await broker.account()).equity > 90_000
    assert (await broker.clock()).is_open
    assert broker.latency_ms > 0


async def test_crypto_symbols_keep_their_slash_everywhere(broker: AlpacaBroker) -> None:
    await broker.submit(order(1, symbol="BTC/USD", quantity=Decimal("0.001"), time_in_force=TimeInForce.GTC))

    async def positions() -> list[str]:
        return [position.symbol for position in await broker.positions()]

    assert await until_async(positions) == ["BTC/USD"]
    asset = await broker.asset("BTC/USD")
    assert asset is not None
    assert asset.asset_class == "crypto"


async def test_what_is_not_there_is_none(broker: AlpacaBroker) -> None:
    assert await broker.order_by_client_id("nobody") is None
    assert await broker.asset("NOPE") is None


async def test_a_lost_answer_is_unknown_and_the_same_id_finds_it_done(
    exchange: ExchangeServer, broker: AlpacaBroker
) -> None:
    await fault(exchange, kind="lose_response", path="/v2/orders", method="POST")
    with pytest.raises(OutcomeUnknownError):
        await broker.submit(resting(1))
    with pytest.raises(DuplicateOrderError):
        await broker.submit(resting(1))
    found = await broker.order_by_client_id(resting(1).client_order_id)
    assert found is not None
    assert len(await broker.open_orders()) == 1


@pytest.mark.parametrize("status", [500, 504])
async def test_a_failing_venue_gets_one_request_and_the_outcome_is_unknown(
    exchange: ExchangeServer, broker: AlpacaBroker, status: int
) -> None:
    await fault(exchange, kind="http_status", status=status, path="/v2/orders", method="POST")
    with pytest.raises(OutcomeUnknownError):
        await broker.submit(resting(1))
    # alpaca-py's own retry would have used the second attempt, which the fault does not meet.
    assert await broker.open_orders() == []


async def test_a_request_limit_means_that_nothing_was_done(exchange: ExchangeServer, broker: AlpacaBroker) -> None:
    await fault(exchange, kind="http_status", status=429, path="/v2/orders", method="POST")
    with pytest.raises(NotSentError):
        await broker.submit(resting(1))


async def test_reads_are_repeated(exchange: ExchangeServer, broker: AlpacaBroker) -> None:
    await fault(exchange, kind="http_status", status=500, count=2, path="/v2/account", method="GET")
    assert (await broker.account()).status == "ACTIVE"


async def test_the_venues_refusal_comes_in_its_own_words(broker: AlpacaBroker) -> None:
    with pytest.raises(OrderRefusedError, match="insufficient buying power"):
        await broker.submit(order(1, quantity=Decimal(10_000_000)))


async def test_cancelling_is_harmless_when_it_is_too_late(broker: AlpacaBroker) -> None:
    sent = await broker.submit(resting(1))
    await broker.cancel(sent.venue_order_id)

    async def gone() -> bool:
        return not await broker.open_orders()

    await until_async(gone)
    await broker.cancel(sent.venue_order_id)
    await broker.cancel("00000000-0000-0000-0000-000000000000")


async def test_requests_that_hang_hold_up_none_after_them(exchange: ExchangeServer, broker: AlpacaBroker) -> None:
    working = [await broker.submit(resting(number)) for number in range(3)]
    await fault(exchange, kind="delay", seconds=30, path=f"/v2/orders/{working[0].venue_order_id}", method="DELETE")
    await fault(exchange, kind="delay", seconds=30, path="/v2/orders", method="POST", count=2)
    hanging = [
        asyncio.create_task(broker.cancel(working[0].venue_order_id)),
        *(asyncio.create_task(broker.submit(resting(number))) for number in (4, 5)),
    ]

    async def all_hang() -> bool:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{exchange.url}/paddock/faults") as answer,
        ):
            return sum((await answer.json())["fired"].values()) == len(hanging)

    await until_async(all_hang)
    # Each of them hangs for two seconds, tried again or not.
    async with asyncio.timeout(1.5):
        await broker.cancel(working[1].venue_order_id)
        await broker.submit(resting(6))
        await broker.cancel_all()
    assert not any(task.done() for task in hanging)
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_a_cancel_passes_a_submit_that_hangs(exchange: ExchangeServer, broker: AlpacaBroker) -> None:
    sent = await broker.submit(resting(1))
    await fault(exchange, kind="delay", seconds=30, path="/v2/orders", method="POST")
    hanging = asyncio.create_task(broker.submit(resting(2)))
    await broker.cancel(sent.venue_order_id)
    with pytest.raises(OutcomeUnknownError):
        await hanging


async def test_cancels_pass_while_the_venue_and_we_ourselves_limit_requests(exchange: ExchangeServer) -> None:
    address = VenueAddress.local(exchange.url, "key", "secret")
    broker = AlpacaBroker(address, SystemClock(), read_timeout=2, per_minute=5)
    sent = [await broker.submit(resting(number)) for number in range(4)]
    waiting = asyncio.create_task(broker.submit(resting(9)))
    await fault(exchange, kind="http_status", status=429, count=2, path="/v2/orders", method="DELETE")
    for one in sent:
        await broker.cancel(one.venue_order_id)
    assert not waiting.done()
    waiting.cancel()
    await broker.close()
    reader = AlpacaBroker(address, SystemClock())
    assert {order.status for order in await reader.closed_orders(after=0)} == {OrderStatus.CANCELED}
    assert await reader.open_orders() == []
    await reader.close()


async def test_wrong_keys_are_told_as_such(exchange: ExchangeServer) -> None:
    broker = AlpacaBroker(VenueAddress.local(exchange.url, "key", "wrong"), SystemClock())
    with pytest.raises(CredentialsError):
        await broker.account()
    await broker.close()


async def test_a_closed_port_is_certainly_not_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        broker = AlpacaBroker(VenueAddress.local(url, "key", "secret"), SystemClock())
        with pytest.raises(NotSentError):
            await broker.submit(order(1))
        with pytest.raises(UnavailableError):
            await broker.account()
        await broker.close()


async def test_a_server_that_never_answers_is_given_up(exchange: ExchangeServer) -> None:
    silent: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda reader, writer: silent.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    broker = AlpacaBroker(VenueAddress.local(f"http://127.0.0.1:{port}", "key", "secret"), SystemClock(), 0.3)
    with pytest.raises(OutcomeUnknownError):
        await broker.submit(order(1))
    await broker.close()
    for writer in silent:
        writer.close()
    server.close()
    await server.wait_closed()


class Ears:
    def __init__(self, address: VenueAddress) -> None:
        self.updates: list[TradeUpdate] = []
        self.states: list[StreamState] = []
        self.stream = TradeUpdates(
            lambda: address, self.updates.append, lambda state, reason: self.states.append(state), seed=1
        )


async def test_updates_are_heard_and_a_reconnect_is_told(exchange: ExchangeServer, broker: AlpacaBroker) -> None:
    ears = Ears(VenueAddress.local(exchange.url, "key", "secret"))
    task = asyncio.create_task(ears.stream.run())
    await until(lambda: ears.stream.state is StreamState.LISTENING)
    await broker.submit(order(1))
    fill = await until(lambda: next((update.fill for update in ears.updates if update.fill), None))
    assert fill.quantity == 1
    await fault(exchange, kind="drop_streams")
    await until(lambda: ears.states.count(StreamState.LISTENING) == 2)
    assert StreamState.DISCONNECTED in ears.states
    await broker.submit(order(2))
    await until(lambda: sum(update.event == "fill" for update in ears.updates) == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_stream_ends_when_keys_are_refused(exchange: ExchangeServer) -> None:
    ears = Ears(VenueAddress.local(exchange.url, "key", "wrong"))
    with pytest.raises(CredentialsError):
        await ears.stream.run()
