"""The OpenAPI document of what the exchange serves over REST, for people, for generators of clients and for fuzzers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from engine.exchange.server import openapi_schemas as shapes
from engine.exchange.server.openapi_schemas import DAY, FLAG, TEXT, TIME, UUID, Schema, by_symbol, listed, ref, words

VERSION = "3.1.0"
KEYS = ("APCA-API-KEY-ID", "APCA-API-SECRET-KEY")
STOCKS, CRYPTO = "/v2/stocks", "/v1beta3/crypto/us"

_LISTING: Schema = {
    "after": TIME, "until": TIME, "direction": words("asc", "desc"),
}  # fmt: skip
_HISTORY: Schema = {
    "start": TIME, "end": TIME, "sort": words("asc", "desc"), "page_token": TEXT, "feed": TEXT,
    "limit": {"type": "integer", "minimum": 1, "maximum": 10_000},
}  # fmt: skip
_TIMEFRAME: Schema = {
    "type": "string",
    "pattern": "^([1-9]|[1-5][0-9])Min$|^([1-9]|1[0-9]|2[0-3])Hour$|^1(Day|Week|Month)$",
}
_ADJUSTMENT = words("raw", "split", "dividend", "all")


class Operation:
    """One method of one path. `answer` is the schema of the success, None where it has no body."""

    def __init__(
        self,
        method: str,
        path: str,
        summary: str,
        answer: Schema | None,
        *,
        query: Schema | None = None,
        needs: Iterable[str] = (),
        body: str = "",
        status: int = 200,
    ) -> None:
        self.method = method
        self.path = path
        self._summary = summary
        self._answer = answer
        self._query = query or {}
        self._needs = frozenset(needs)
        self._body = body
        self._status = status if answer is not None else 204

    def shown(self, symbols: list[str]) -> dict[str, Any]:
        success: dict[str, Any] = {"description": "done"}
        if self._answer is not None:
            success["content"] = _json(self._answer)
        shown = {
            "summary": self._summary,
            "operationId": f"{self.method} {self.path}",
            "parameters": [*self._in_path(symbols), *self._in_query()],
            "responses": {
                str(self._status): success,
                "default": {"description": "refused, and nothing has changed", "content": _json(ref("Error"))},
            },
        }
        if self._body:
            shown["requestBody"] = {"required": True, "content": _json(ref(self._body))}
        if self.path.startswith((CRYPTO, "/paddock/")):
            shown["security"] = []
        return shown

    def _in_path(self, symbols: list[str]) -> Iterator[dict[str, Any]]:
        known = {
            "symbol": {"type": "string", "enum": symbols},
            "order_id": UUID,
            "list_id": UUID,
            "kind": words("FILL", "DIV", "FEE", "CFEE", "TRANS"),
            "number": {"type": "integer", "minimum": 1},
        }
        for name, schema in known.items():
            if f"{{{name}}}" in self.path:
                yield {"name": name, "in": "path", "required": True, "schema": schema}

    def _in_query(self) -> Iterator[dict[str, Any]]:
        for name, schema in self._query.items():
            yield {"name": name, "in": "query", "required": name in self._needs, "schema": schema}


def _json(schema: Schema) -> Schema:
    return {"application/json": {"schema": schema}}


def _orders() -> Iterator[Operation]:
    order = ref("Order")
    one = "/v2/orders/{order_id}"
    filters = {
        **_LISTING,
        "status": words("open", "closed", "all"),
        "limit": {"type": "integer", "minimum": 1, "maximum": 500},
        "side": words("buy", "sell"),
        "symbols": TEXT,
        "nested": FLAG,
    }
    yield Operation("post", "/v2/orders", "Place an order", order, body="OrderRequest")
    yield Operation("get", "/v2/orders", "List orders", listed(order), query=filters)
    yield Operation("delete", "/v2/orders", "Cancel all open orders", listed(ref("Canceled")), status=207)
    by_client_id = {"client_order_id": TEXT}
    yield Operation(
        "get", "/v2/orders:by_client_order_id", "Find an order by its client's id", order, query=by_client_id, needs=by_client_id
    )  # fmt: skip
    yield Operation("get", one, "Show an order", order, query={"nested": FLAG})
    yield Operation("patch", one, "Replace an order", order, body="OrderChange")
    yield Operation("delete", one, "Cancel an order", None)
    yield Operation("get", "/v2/positions", "List positions", listed(ref("Position")))
    yield Operation(
        "delete", "/v2/positions", "Close all positions", listed(ref("Closed")), query={"cancel_orders": FLAG}, status=207
    )  # fmt: skip
    yield Operation("get", "/v2/positions/{symbol}", "Show a position", ref("Position"))
    part = {"qty": shapes.AMOUNT, "percentage": shapes.AMOUNT}
    yield Operation("delete", "/v2/positions/{symbol}", "Close a position", order, query=part)


def _account() -> Iterator[Operation]:
    settings = ref("Configuration")
    pages = {
        **_LISTING,
        "date": DAY,
        "page_size": {"type": "integer", "minimum": 1, "maximum": 100},
        "page_token": TEXT,
    }
    history = {"period": {"type": "string", "pattern": "^[1-9][0-9]{0,2}[DWMA]$"}, "start": TIME, "end": TIME}
    steps = {"timeframe": words("1Min", "5Min", "15Min", "1H", "1D")}
    yield Operation("get", "/v2/account", "Show the account", ref("Account"))
    yield Operation("get", "/v2/account/configurations", "Show the settings", settings)
    yield Operation("patch", "/v2/account/configurations", "Change settings", settings, body="Configuration")
    kinds = {"activity_types": TEXT, **pages}
    yield Operation("get", "/v2/account/activities", "List activities", listed(ref("Activity")), query=kinds)
    yield Operation(
        "get", "/v2/account/activities/{kind}", "List activities of a kind", listed(ref("Activity")), query=pages
    )
    yield Operation(
        "get", "/v2/account/portfolio/history", "Show the equity over time", ref("PortfolioHistory"), query={**history, **steps}
    )  # fmt: skip
    yield Operation("get", "/v2/clock", "Show the time and the session", ref("Clock"))
    yield Operation(
        "get", "/v2/calendar", "List trading days", listed(ref("CalendarDay")), query={"start": DAY, "end": DAY}
    )
    kinds = {"status": words("active", "inactive"), "asset_class": words("us_equity", "crypto")}
    yield Operation("get", "/v2/assets", "List assets", listed(ref("Asset")), query=kinds)
    yield Operation("get", "/v2/assets/{symbol}", "Show an asset", ref("Asset"))


def _watchlists() -> Iterator[Operation]:
    one, found = "/v2/watchlists/{list_id}", ref("Watchlist")
    yield Operation("get", "/v2/watchlists", "List watchlists", listed(found))
    yield Operation("post", "/v2/watchlists", "Make a watchlist", found, body="WatchlistRequest")
    yield Operation("get", one, "Show a watchlist", found)
    yield Operation("put", one, "Change a watchlist", found, body="WatchlistChange")
    yield Operation("post", one, "Add a symbol", found, body="WatchlistSymbol")
    yield Operation("delete", one, "Delete a watchlist", None)
    yield Operation("delete", f"{one}/{{symbol}}", "Remove a symbol", found)


def _data() -> Iterator[Operation]:
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
        one = shapes.record({"symbol": TEXT, key[:-1]: ref(row)})
        yield Operation("get", f"{STOCKS}/{{symbol}}/{key}/latest", f"Latest {key[:-1]}", one)
    books = shapes.record({"orderbooks": by_symbol(ref("OrderBook"))})
    yield Operation("get", f"{CRYPTO}/latest/orderbooks", "Latest order books", books, query=many, needs=many)
    snapshots = by_symbol(ref("Snapshot"))
    yield Operation("get", f"{STOCKS}/snapshots", "Snapshots by symbol", snapshots, query=many, needs=many)
    yield Operation("get", f"{STOCKS}/{{symbol}}/snapshot", "A snapshot", ref("Snapshot"))
    wrapped = shapes.record({"snapshots": snapshots})
    yield Operation("get", f"{CRYPTO}/snapshots", "Snapshots by symbol", wrapped, query=many, needs=many)


def _admin() -> Iterator[Operation]:
    yield Operation("get", "/paddock/health", "Show what has been served", ref("Health"))
    yield Operation("get", "/paddock/faults", "List what is armed and how often it has fired", ref("Faults"))
    yield Operation("post", "/paddock/faults", "Arm a fault, or carry it out", ref("Armed"), body="Fault")
    yield Operation("delete", "/paddock/faults", "Clear all faults", None)
    yield Operation("delete", "/paddock/faults/{number}", "Disarm one fault", None)
    market = ref("Market")
    yield Operation("get", "/paddock/replay", "Show venue time and what is replayed", market)
    yield Operation("post", "/paddock/replay", "Pause, speed up or seek", market, body="MarketControl")
    yield Operation("post", "/paddock/halt", "Halt a stock", ref("Halt"), body="Halt")
    yield Operation("get", "/paddock/openapi.json", "This document", {"type": "object"})


def document(symbols: Iterable[str]) -> dict[str, Any]:
    """The document of an exchange that trades `symbols`. Streams are not REST and are not in it."""
    names = sorted(symbols)
    paths: dict[str, dict[str, Any]] = {}
    for part in (_orders, _account, _watchlists, _data, _admin):
        for operation in part():
            paths.setdefault(operation.path, {})[operation.method] = operation.shown(names)
    schemes = {key: {"type": "apiKey", "in": "header", "name": key} for key in KEYS}
    return {
        "openapi": VERSION,
        "info": {
            "title": "Paddock exchange",
            "version": "2",
            "description": "A local exchange that speaks Alpaca's trading and market-data protocols.",
        },
        "paths": paths,
        "components": {"schemas": shapes.schemas(names), "securitySchemes": schemes},
        "security": [{key: [] for key in KEYS}],
    }
