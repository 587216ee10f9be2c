"""The engine's way to the faults of the running exchange."""

from __future__ import annotations

import asyncio

import pytest

from engine.control import ExchangeFault
from engine.domain.errors import PaddockError, UnavailableError
from engine.exchange.server import ExchangeServer
from engine.orchestrator.exchange_faults import ExchangeFaults
from engine.views import Summary
from tests.waiting import until


async def test_what_is_armed_is_in_the_summary(exchange: ExchangeServer) -> None:
    summary = Summary()
    faults = ExchangeFaults(lambda: exchange.url, summary)
    await faults.set(ExchangeFault(kind="mute_streams"))
    await faults.set(ExchangeFault(kind="http_status", status=429, count=3))
    assert summary.armed_faults == ("mute streams until cleared", "http status, 3 to go")
    await faults.set(ExchangeFault(kind="clear"))
    assert summary.armed_faults == ()


async def test_a_fault_that_somebody_else_has_armed_is_seen_too(exchange: ExchangeServer) -> None:
    summary = Summary()
    watching = asyncio.create_task(ExchangeFaults(lambda: exchange.url, summary).run())
    await ExchangeFaults(lambda: exchange.url, Summary()).set(ExchangeFault(kind="hang"))
    await until(lambda: summary.armed_faults)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_a_refused_fault_and_a_silent_exchange_are_told_with_the_reason(exchange: ExchangeServer) -> None:
    with pytest.raises(PaddockError, match="status 400 to 599"):
        await ExchangeFaults(lambda: exchange.url, Summary()).set(ExchangeFault(kind="http_status", status=200))
    with pytest.raises(UnavailableError, match="does not answer"):
        await ExchangeFaults(lambda: "http://127.0.0.1:9", Summary()).set(ExchangeFault(kind="hang"))
