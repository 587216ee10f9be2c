"""Whatever a venue sends is read exactly or refused as a whole; nothing else ever comes out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.broker import wire
from engine.broker.address import VenueAddress
from engine.broker.alpaca import UNREADABLE
from engine.domain.orders import OrderStatus
from tests.broker.venues import wire_order

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
MONEY = st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=0, max_value=10**12)


@given(MONEY, MONEY)
def test_amounts_are_exact_to_the_last_digit(quantity: Decimal, price: Decimal) -> None:
    read = wire.order(wire_order(qty=str(quantity), limit_price=str(price)))
    assert (read.quantity, read.limit_price) == (quantity, price)


@given(st.sampled_from(sorted(wire_order())), JSON)
def test_one_strange_field_is_read_or_refused(name: str, value: Any) -> None:
    try:
        read = wire.order(wire_order(**{name: value}))
    except UNREADABLE:
        return
    assert read.quantity.is_finite()
    assert read.filled_quantity.is_finite()


@given(JSON)
def test_what_is_no_order_is_refused(value: Any) -> None:
    for parse in (wire.order, wire.trade_update, wire.fill_activity, wire.account, wire.position):
        with pytest.raises(UNREADABLE):
            parse(value)


def test_a_status_nobody_knows_is_an_order_that_may_still_fill() -> None:
    assert not wire.status("teleported").is_final
    assert wire.status("pending_review") is OrderStatus.ACCEPTED


@pytest.mark.parametrize(("name", "slashed"), [("BTCUSD", "BTC/USD"), ("ETHBTC", "ETH/BTC"), ("BTC/USD", "BTC/USD")])
def test_positions_in_crypto_get_their_slash_back(name: str, slashed: str) -> None:
    assert wire.symbol(name, "crypto") == slashed
    assert wire.symbol(name, "us_equity") == name


def test_a_secret_is_never_written_out() -> None:
    address = VenueAddress.alpaca("PK123456789", "very-secret", live=False)
    for text in (repr(address), str(address), f"{address}", f"{[address]}"):
        assert "very-secret" not in text
        assert "PK123456789" not in text


def test_paper_and_live_are_told_apart_by_address() -> None:
    live = VenueAddress.alpaca("key", "secret", live=True, feed="sip")
    paper = VenueAddress.alpaca("key", "secret", live=False)
    assert live.trade_stream_url == "wss://api.alpaca.markets/stream"
    assert live.stock_stream_url.endswith("/v2/sip")
    assert paper.trading_url == "https://paper-api.alpaca.markets"
    assert not paper.is_loopback
    assert VenueAddress.local("http://127.0.0.1:8000", "key", "secret").is_loopback
    assert not VenueAddress.local("http://127.0.0.1.example:8000", "key", "secret").is_loopback
