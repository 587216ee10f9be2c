"""The operations on market data in the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator

from engine.exchange.server import openapi_schemas as shapes
from engine.exchange.server.asked import CRYPTO, STOCKS
from engine.exchange.server.openapi_operation import Operation
from engine.exchange.server.openapi_schemas import DAY, NUMBER, TEXT, TIME, WHOLE, Schema, by_symbol, listed, ref, words
from engine.exchange.server.screener import SCREENER

_HISTORY: Schema = {
    "start": TIME, "end": TIME, "sort": words("asc", "desc"), "page_token": TEXT, "feed": TEXT,
    "limit": {"type": "integer", "minimum": 1, "maximum": 10_000},
}  # fmt: skip
_TIMEFRAME: Schema = {
    "type": "string",
    "pattern": "^([1-9]|[1-5][0-9])Min$|^([1-9]|1[0-9]|2[0-3])Hour$|^1(Day|Week|Month)$",
}
_ADJUSTMENT = words("raw", "split", "dividend", "all")


def data_operations() -> Iterator[Operation]:
    many = {"symbols": TEXT}
    for key, row in (("bars", "Bar"), ("trades", "Trade"), ("quotes", "Quote")):
        extra = {"timeframe": _TIMEFRAME, "adjustment": _ADJUSTMENT} if key == "bars" else {}
        history = {**_HISTORY, **extra}
        for market in (STOCKS, CRYPTO):
            yield Operation(
                "get", f"{market}/{key}", f"List {key} of several symbols", shapes.page(key, ref(row), single=False),
                query=many | history, needs=many,
            )  # fmt: skip
        yield Operation(
            "get", f"{STOCKS}/{{symbol}}/{key}", f"List {key}", shapes.page(key, ref(row), single=True), query=history
        )
        latest = shapes.record({key: by_symbol(ref(row))})
        yield Operation("get", f"{STOCKS}/{key}/latest", f"Latest {key}", latest, query=many, needs=many)
        yield Operation("get", f"{CRYPTO}/latest/{key}", f"Latest {key}", latest, query=many, needs=many)
        page = shapes.page(key, ref(row), single=True)
        yield Operation("get", f"{CRYPTO}/{{symbol}}/{key}", f"List {key} of a pair", page, query=history)
        one = shapes.record({"symbol": TEXT, key[:-1]: ref(row)})
        yield Operation("get", f"{CRYPTO}/{{symbol}}/latest/{key}", f"Latest {key[:-1]} of a pair", one)
        yield Operation("get", f"{STOCKS}/{{symbol}}/{key}/latest", f"Latest {key[:-1]}", one)
    books = shapes.record({"orderbooks": by_symbol(ref("OrderBook"))})
    yield Operation("get", f"{CRYPTO}/latest/orderbooks", "Latest order books", books, query=many, needs=many)
    snapshots = by_symbol(ref("Snapshot"))
    yield Operation("get", f"{STOCKS}/snapshots", "Snapshots by symbol", snapshots, query=many, needs=many)
    yield Operation("get", f"{STOCKS}/{{symbol}}/snapshot", "A snapshot", ref("Snapshot"))
    yield Operation("get", f"{CRYPTO}/{{symbol}}/snapshot", "A snapshot of a pair", ref("Snapshot"))
    book = shapes.record({"symbol": TEXT, "orderbook": ref("OrderBook")})
    yield Operation("get", f"{CRYPTO}/{{symbol}}/latest/orderbooks", "Latest order book of a pair", book)
    wrapped = shapes.record({"snapshots": snapshots})
    yield Operation("get", f"{CRYPTO}/snapshots", "Snapshots by symbol", wrapped, query=many, needs=many)
    yield from _auctions()
    yield from _reference()
    yield from _screener()


def _auctions() -> Iterator[Operation]:
    found = shapes.record({"t": TIME, "x": TEXT, "p": NUMBER, "s": NUMBER, "c": TEXT})
    day = shapes.record({"d": DAY, "o": listed(found), "c": listed(found)})
    many = {"symbols": TEXT}
    page = shapes.page("auctions", day, single=False)
    yield Operation("get", f"{STOCKS}/auctions", "List auctions", page, query=many | _HISTORY, needs=many)
    page = shapes.page("auctions", day, single=True)
    yield Operation("get", f"{STOCKS}/{{symbol}}/auctions", "List auctions of a stock", page, query=_HISTORY)


def _reference() -> Iterator[Operation]:
    codes = by_symbol(TEXT)
    tape = {"tape": words("A", "B", "C")}
    conditions = f"{STOCKS}/meta/conditions/{{ticktype}}"
    yield Operation("get", f"{STOCKS}/meta/exchanges", "Exchanges by code", codes)
    yield Operation("get", conditions, "Conditions by code", codes, query=tape, needs=tape)


def _screener() -> Iterator[Operation]:
    active = shapes.record({"symbol": TEXT, "volume": NUMBER, "trade_count": WHOLE})
    actives = shapes.record({"most_actives": listed(active), "last_updated": TIME})
    query = {"by": words("volume", "trades"), "top": {"type": "integer", "minimum": 1, "maximum": 100}}
    yield Operation("get", f"{SCREENER}/stocks/most-actives", "Most active stocks", actives, query=query)
    move = shapes.record({"symbol": TEXT, "price": NUMBER, "change": NUMBER, "percent_change": NUMBER})
    moves = {"gainers": listed(move), "losers": listed(move), "market_type": TEXT, "last_updated": TIME}
    query = {"top": {"type": "integer", "minimum": 1, "maximum": 50}}
    yield Operation("get", f"{SCREENER}/{{market}}/movers", "Gainers and losers", shapes.record(moves), query=query)
    news = shapes.record({"news": {"type": "array", "maxItems": 0}, "next_page_token": {"type": "null"}})
    yield Operation("get", "/v1beta1/news", "There is no news", news)
