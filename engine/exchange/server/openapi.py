"""The OpenAPI document of what the exchange serves over REST, for people, for generators of clients and for fuzzers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from engine.exchange.server import openapi_schemas as shapes
from engine.exchange.server.openapi_corporate import contract_operations, corporate_operations
from engine.exchange.server.openapi_data import data_operations
from engine.exchange.server.openapi_operation import Operation
from engine.exchange.server.openapi_schemas import DAY, FLAG, TEXT, TIME, Schema, listed, ref, words

VERSION = "3.1.0"
KEYS = ("APCA-API-KEY-ID", "APCA-API-SECRET-KEY")

_LISTING: Schema = {
    "after": TIME, "until": TIME, "direction": words("asc", "desc"),
}  # fmt: skip


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
    for part in (_orders, _account, _watchlists, corporate_operations, contract_operations, data_operations, _admin):
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
