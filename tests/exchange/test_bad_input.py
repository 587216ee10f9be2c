"""Whatever is sent, the answer is the venue's refusal: never a 500, and never a changed ledger."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.exchange.server import ExchangeServer, subscribers
from engine.exchange.server.http import MAX_BODY

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret", "Content-Type": "application/json"}
GOOD = {"symbol": '"SPY"', "qty": "1", "side": '"buy"', "type": '"market"', "time_in_force": '"day"'}
"""An order that would be taken, as fragments of JSON."""


async def send(exchange: ExchangeServer, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(headers=KEYS) as session,
        session.request(method, exchange.url + path, data=body) as answer,
    ):
        return answer.status, json.loads(await answer.read() or b"null")


def ledger(exchange: ExchangeServer) -> list[object]:
    """Everything that an order could change."""
    venue = exchange.venue
    accounts = [(a.cash, a.held_value, sorted(a.holdings), len(a.activities)) for a in accounts_of(exchange)]
    return [accounts, venue.orders_taken, venue.books.fills, [dict(desk.open) for desk in venue.desks.values()]]


def accounts_of(exchange: ExchangeServer) -> list[Any]:
    return [desk.account for desk in exchange.venue.desks.values()]


def written(fields: dict[str, str]) -> bytes:
    return ("{" + ",".join(f'"{name}":{value}' for name, value in fields.items()) + "}").encode()


BAD = {
    "no body": b"",
    "no JSON": b"{",
    "no object": b"[]",
    "no UTF-8": b'{"symbol":"\xff\xfe"}',
    "deep": b"[" * 50_000,
    "deep object": b'{"a":' * 50_000,
    "no fields": b"{}",
    **{f"qty {v[:12]}": written(GOOD | {"qty": v}) for v in (
        "NaN", "Infinity", "-Infinity", "1e400", "-1", "0", '""', '"x"', '"NaN"', '"1e400"', '"1e-40"', '"١"', "[]",
        "{}", "true", "1" * 5000, f'"{"1" * 5000}"', '"1_0"', "1e-30", '" "', '"\\u0000"',
    )},
    **{f"{name} {v[:12]}": written(GOOD | {name: v}) for name in ("symbol", "side", "type", "time_in_force") for v in (
        "null", '""', "1", "[]", "{}", '"NONE"', "true", '"SPY "', '"../SPY"', f'"{"S" * 9000}"',
    )},
    **{f"limit {v[:12]}": written(GOOD | {"type": '"limit"', "limit_price": v}) for v in (
        "null", '""', "NaN", "-1", "0", "100.001", "1e300", "{}", '"1e9999"', "true",
    )},
    "a price too many": written(GOOD | {"limit_price": "1"}),
    "both sizes": written(GOOD | {"notional": "100"}),
    "too dear": written(GOOD | {"qty": "1000000"}),
    "long id": written(GOOD | {"client_order_id": f'"{"x" * 129}"'}),
    "id of a wrong type": written(GOOD | {"client_order_id": "[1]"}),
    "id with control characters": written(GOOD | {"client_order_id": '"a\\u0000b"'}),
    "flag of a wrong type": written(GOOD | {"extended_hours": '"yes"'}),
    "stop order for an auction": written(
        GOOD | {"type": '"stop"', "limit_price": "null", "stop_price": "90", "time_in_force": '"opg"'}
    ),
    "huge body": b'{"symbol":"' + b"S" * (MAX_BODY + 1) + b'"}',
}  # fmt: skip


async def test_a_bad_order_is_refused_and_changes_nothing(exchange: ExchangeServer) -> None:
    await send(exchange, "GET", "/v2/account")
    before = ledger(exchange)
    for name, body in BAD.items():
        status, answer = await send(exchange, "POST", "/v2/orders", body)
        assert 400 <= status < 500, name
        assert isinstance(answer["code"], int) and answer["message"], name
        assert ledger(exchange) == before, name


async def test_a_repeated_id_is_refused_even_of_an_order_that_has_ended(exchange: ExchangeServer) -> None:
    body = written(GOOD | {"client_order_id": '"mine"'})
    assert (await send(exchange, "POST", "/v2/orders", body))[0] == 200
    before = ledger(exchange)
    assert (await send(exchange, "POST", "/v2/orders", body))[1]["code"] == 40010001
    assert ledger(exchange) == before


garbage = st.one_of(
    st.sampled_from(
        ["null", "NaN", "Infinity", "1e400", "-0", "0", "1e-400", "{}", "[]", "true", '""', '"NaN"', "1E+2"]
    ),
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.text(max_size=40).map(json.dumps),
    st.recursive(st.none() | st.booleans(), lambda inner: st.lists(inner, max_size=3), max_leaves=5).map(json.dumps),
)
names = st.sampled_from(
    [
        *GOOD, "notional", "limit_price", "stop_price", "trail_price", "trail_percent", "trail", "order_class", "legs",
        "take_profit", "stop_loss", "extended_hours", "client_order_id", "position_intent", "suspend_trade",
        "max_margin_multiplier", "name", "symbols",
    ]
)  # fmt: skip
bodies = st.one_of(
    st.binary(max_size=200),
    st.dictionaries(names, garbage, max_size=4).map(lambda fields: written(GOOD | fields)),
    st.dictionaries(names, garbage, max_size=6).map(written),
)
TARGETS = [
    "POST /v2/orders", "PATCH /v2/orders/ID", "PATCH /v2/orders/none", "PATCH /v2/account/configurations",
    "POST /v2/watchlists", "POST /paddock/faults",
]  # fmt: skip
shared = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@shared
@given(body=bodies, target=st.sampled_from(TARGETS))
async def test_no_body_breaks_the_exchange(exchange: ExchangeServer, body: bytes, target: str) -> None:
    method, path = target.split()
    resting = GOOD | {"type": '"limit"', "limit_price": "1"}
    # An earlier body may have been a good one: it may have suspended trading, or left orders standing.
    await send(exchange, "PATCH", "/v2/account/configurations", b'{"suspend_trade": false}')
    await send(exchange, "DELETE", "/v2/orders")
    order_id = (await send(exchange, "POST", "/v2/orders", written(resting)))[1]["id"]
    path = path.replace("ID", order_id)
    exchange.floor.faults.clear()
    before = ledger(exchange)
    status, _ = await send(exchange, method, path, body)
    assert status < 500
    assert status == 200 or ledger(exchange) == before
    assert all(account.cash.is_finite() for account in accounts_of(exchange))


paths = st.sampled_from(
    [
        "/v2/orders", "/v2/orders:by_client_order_id", "/v2/positions", "/v2/positions/SPY", "/v2/account/activities",
        "/v2/account/activities/FILL", "/v2/account/portfolio/history", "/v2/calendar", "/v2/clock", "/v2/assets",
        "/v2/assets/SPY", "/v2/watchlists", "/v2/watchlists/x/SPY", "/v2/stocks/SPY/bars", "/v2/stocks/bars", "/v2/stocks/trades", "/v2/stocks/quotes/latest", "/v2/stocks/snapshots",
        "/v1beta3/crypto/us/bars", "/v1beta3/crypto/us/latest/quotes", "/v2/none",
    ]
)  # fmt: skip
words = st.one_of(
    st.text(max_size=30),
    st.integers().map(str),
    st.sampled_from(["SPY", "1Min", "2024-01-01", "9999-12-31", "all", "1D"]),
)
queries = st.dictionaries(
    st.sampled_from(
        [
            "symbols", "timeframe", "start", "end", "limit", "sort", "page_token", "status", "after", "until", "side",
            "direction", "qty", "percentage", "cancel_orders", "period", "page_size", "date", "client_order_id",
        ]
    ),
    words,
    max_size=4,
)  # fmt: skip


@shared
@given(path=paths, query=queries, method=st.sampled_from(["GET", "DELETE", "PUT"]), tail=st.text(max_size=6))
async def test_no_query_breaks_the_exchange(
    exchange: ExchangeServer, path: str, query: dict[str, str], method: str, tail: str
) -> None:
    where = f"{path}{quote(tail, safe='')}?{urlencode(query)}"
    assert (await send(exchange, method, where))[0] < 500
    assert exchange.counters.failures == 0


AUTHENTICATE = {"action": "authenticate", "data": {"key_id": "key", "secret_key": "secret"}}
LISTEN = {"action": "listen", "data": {"streams": ["trade_updates"]}}
AUTH = {"action": "auth", "key": "key", "secret": "secret"}
SUBSCRIBE = {"action": "subscribe", "trades": ["SPY"], "quotes": ["*"]}
odd = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(
    ["action", "data", "key", "secret", "key_id", "secret_key", "streams", "trades", "quotes", "bars", "lulds"]
)
spoiled = st.builds(
    lambda good, more: good | more,
    st.sampled_from([AUTHENTICATE, LISTEN, AUTH, SUBSCRIBE]),
    st.dictionaries(fields, odd, max_size=2),
)
said = st.one_of(st.sampled_from([AUTHENTICATE, LISTEN, AUTH, SUBSCRIBE]), spoiled, odd)
raw = st.one_of(st.binary(max_size=60), st.sampled_from([b"", b"[" * 60_000, b"\x81" * 60_000, b'{"action":' * 9_000, b"\xc1", b"x" * 2_000_000]))  # fmt: skip
talks = st.lists(st.one_of(said, raw), max_size=6)


@settings(shared, max_examples=60)
@given(talk=talks, packed=st.booleans(), as_text=st.booleans())
@pytest.mark.parametrize("path", ["/stream", "/v2/iex", "/v1beta3/crypto/us", "/v2/test"])
async def test_no_message_in_no_order_breaks_a_stream(
    exchange: ExchangeServer, path: str, talk: list[Any], packed: bool, as_text: bool
) -> None:
    """Whatever was said, the next client is served as if nothing had been."""
    async with aiohttp.ClientSession() as session:
        headers = {"Content-Type": "application/msgpack"} if packed else {}
        async with session.ws_connect(exchange.url + path, headers=headers) as socket:
            with suppress(ConnectionError):
                for message in talk:
                    await say(socket, message, packed, as_text)
        async with session.ws_connect(exchange.url + path) as socket:
            if path != "/stream":
                assert (await socket.receive_json(timeout=10))[0]["msg"] == "connected"
            await socket.send_json(AUTH)
            answer = await socket.receive(timeout=10)
            assert b"authorized" in as_bytes(answer.data) or b"authenticated" in as_bytes(answer.data)
    assert exchange.counters.failures == 0


async def say(socket: aiohttp.ClientWebSocketResponse, message: Any, packed: bool, as_text: bool) -> None:
    if isinstance(message, bytes):
        data = message
    else:
        data = msgspec.msgpack.encode(message) if packed else json.dumps(message).encode()
    if as_text and not packed:
        await socket.send_str(data.decode(errors="replace"))
    else:
        await socket.send_bytes(data)


def as_bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


@pytest.mark.parametrize(
    ("talk", "code"),
    [
        ([{"action": "subscribe", "trades": ["SPY"]}], 401),
        ([{"action": "auth", "key": 1, "secret": []}], 402),
        ([AUTH, AUTH], 403),
        ([AUTH, {"action": "subscribe", "trades": "SPY"}], 400),
        ([AUTH, {"action": "subscribe", "nonsense": ["SPY"]}], 400),
        ([{"action": []}], 400),
        ([[]], 400),
    ],
)
async def test_a_data_stream_that_is_misused_says_with_which_code(
    exchange: ExchangeServer, talk: list[Any], code: int
) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(exchange.url + "/v2/iex") as socket:
        for message in talk:
            await socket.send_json(message)
        answers: list[Any] = []
        while not (errors := [answer for answer in answers if answer["T"] == "error"]):
            answers += await socket.receive_json(timeout=10)
    error = errors[0]
    assert (error["code"], error["msg"]) == (code, subscribers.ERRORS[code])
