"""Answers that the local exchange never gives: each must end in the outcome that is true, and in nothing else."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
import requests
import urllib3
from aiohttp import web

from engine.broker.address import VenueAddress
from engine.broker.alpaca import AlpacaBroker
from engine.broker.base import NotSentError, OrderRefusedError, OutcomeUnknownError
from engine.broker.outcomes import LONGEST_WAIT, told_apart
from engine.clock import SystemClock
from engine.domain.errors import CredentialsError, UnavailableError
from tests.broker.venues import Answers, order, rest_venue, says, wire_order


@contextlib.asynccontextmanager
async def broker_of(answers: Answers) -> AsyncIterator[AlpacaBroker]:
    async with rest_venue(answers) as address:
        broker = AlpacaBroker(address, SystemClock(), read_timeout=2)
        yield broker
        await broker.close()


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (says("", 200), OutcomeUnknownError),
        (says("null"), OutcomeUnknownError),
        (says("<html>busy</html>"), OutcomeUnknownError),
        (says({"id": "1"}), OutcomeUnknownError),
        (says([]), OutcomeUnknownError),
        (says(wire_order(qty="NaN")), OutcomeUnknownError),
        (says("", 302, Location="https://elsewhere.example/"), OutcomeUnknownError),
        (says("<html>bad gateway</html>", 502), OutcomeUnknownError),
        (says("", 408), OutcomeUnknownError),
        (says({"code": 40310000, "message": "insufficient buying power"}, 403), OrderRefusedError),
        (says({"code": 42210000, "message": "sub-penny"}, 422), OrderRefusedError),
        (says("<html>no such page</html>", 404), OrderRefusedError),
        (says({"message": "forbidden."}, 403), CredentialsError),
        (says({"message": "unauthorized."}, 401), CredentialsError),
        (says({"code": 42910000, "message": "rate limit exceeded"}, 429), NotSentError),
    ],
)
async def test_a_submit_is_one_request_whatever_the_answer(answer: web.Response, outcome: type[Exception]) -> None:
    answers = Answers(answer)
    async with broker_of(answers) as broker:
        with pytest.raises(outcome) as caught:
            await broker.submit(order(1))
    assert type(caught.value) is outcome
    assert answers.asked == ["POST /v2/orders"]


@pytest.mark.parametrize(
    ("headers", "wait"),
    [({"Retry_After": "7"}, 7.0), ({"Retry_After": "soon"}, 1.0), ({"X_RateLimit_Reset": "99999999999"}, LONGEST_WAIT)],
)
async def test_the_wait_after_a_429_is_the_venues_but_never_endless(headers: dict[str, str], wait: float) -> None:
    async with broker_of(Answers(says({}, 429, **headers))) as broker:
        with pytest.raises(NotSentError) as caught:
            await broker.submit(order(1))
    assert caught.value.retry_after == wait


async def test_the_message_of_a_refusal_is_the_venues_even_without_a_number() -> None:
    async with broker_of(Answers(says({"message": "symbol is halted"}, 422))) as broker:
        with pytest.raises(OrderRefusedError, match=r"^symbol is halted$") as caught:
            await broker.submit(order(1))
    assert (caught.value.code, caught.value.http) == (0, 422)


async def test_an_order_of_an_unknown_kind_does_not_hide_the_others() -> None:
    strange = wire_order(id="2", client_order_id="someone", order_class="mleg", symbol=None, side=None, type="exotic")
    async with broker_of(Answers(says([strange, wire_order()]))) as broker:
        [known] = await broker.open_orders()
        assert (known.client_order_id, known.limit_price) == ("demo-test-1", Decimal("107.10"))
        assert broker.skipped == 1


@pytest.mark.parametrize("answer", [says("null"), says(""), says({}), says({"message": "no"}, 400)])
async def test_an_answer_that_is_no_list_never_passes_for_an_empty_one(answer: web.Response) -> None:
    reads: list[Callable[[AlpacaBroker], Any]] = [
        AlpacaBroker.open_orders,
        AlpacaBroker.positions,
        lambda broker: broker.fills(after=0),
    ]
    async with broker_of(Answers(answer)) as broker:
        for read in reads:
            with pytest.raises(UnavailableError):
                await read(broker)


async def test_a_fill_that_cannot_be_read_is_an_error_and_not_left_out() -> None:
    async with broker_of(Answers(says([{"id": "x::1", "order_id": "1", "symbol": "SPY", "side": "buy"}]))) as broker:
        with pytest.raises(UnavailableError, match="qty"):
            await broker.fills(after=0)


async def test_not_found_is_none_also_without_a_number() -> None:
    async with broker_of(Answers(says("not found", 404))) as broker:
        assert await broker.order_by_client_id("nobody") is None
        assert await broker.asset("NOPE?x=1#") is None
        await broker.cancel("nothing")


async def test_a_cancel_is_asked_again_and_a_cancel_of_all_only_when_nothing_was_done() -> None:
    limited, failed, done = says({}, 429, Retry_After="0"), says("", 502), says("", 204)
    answers = Answers(limited, failed, done)
    async with broker_of(answers) as broker:
        await broker.cancel("an-id")
        assert answers.asked == ["DELETE /v2/orders/an-id"] * 3
    answers = Answers(limited, failed, done)
    async with broker_of(answers) as broker:
        with pytest.raises(UnavailableError):
            await broker.cancel_all()
        assert answers.asked == ["DELETE /v2/orders"] * 2


def test_only_a_broken_certificate_proves_that_a_tls_error_came_before_the_request() -> None:
    address = VenueAddress.local("http://127.0.0.1:1", "key", "secret")

    def wrapped(cause: ssl.SSLError) -> Exception:
        pool = urllib3.HTTPSConnectionPool("venue.example")
        return requests.exceptions.SSLError(
            urllib3.exceptions.MaxRetryError(pool, "/v2/orders", urllib3.exceptions.SSLError(cause))
        )

    assert isinstance(told_apart(wrapped(ssl.SSLCertVerificationError("expired")), address, 0), NotSentError)
    assert isinstance(told_apart(wrapped(ssl.SSLError("bad record mac")), address, 0), OutcomeUnknownError)
