"""What every request for market data asks: which symbols, of which feed, in which currency."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from engine.exchange.assets import Catalogue
from engine.exchange.refusals import Refusal, malformed, not_found
from engine.exchange.server.floor import Floor
from engine.exchange.server.times import query_date, query_list
from engine.exchange.sessions import new_york

STOCKS, CRYPTO = "/v2/stocks", "/v1beta3/crypto/us"
FEEDS = ("sip", "iex", "delayed_sip", "otc", "boats", "overnight")
_ADJUSTMENTS = {"raw", "split", "dividend", "spin-off", "all"}
_CURRENCY = re.compile(r"[A-Z]{3}")


def asked_symbols(request: web.Request, floor: Floor) -> list[str]:
    """The symbols of a request that are well formed. Unknown ones are no error: they have no data. Raises Refusal for
    a request that names none, and for a feed, currency or day that does not exist or is not subscribed to.
    """
    crypto = request.path.startswith(CRYPTO)
    if not crypto:
        _check_stock_query(request, floor)
    if (single := single_symbol(request, floor.venue.catalogue)) is not None:
        return [single]
    names = query_list(request.query, "symbols")
    if not names:
        raise malformed("symbols is required")
    return [name for name in names if ("/" in name) == crypto]


def single_symbol(request: web.Request, catalogue: Catalogue) -> str | None:
    """The symbol in the path, as some clients put it there; a crypto pair with its slash or without."""
    name = request.match_info.get("symbol")
    if name is None or not request.path.startswith(CRYPTO):
        return name
    asset = catalogue.find(name)
    return name if asset is None or not asset.is_crypto else asset.symbol


def only(symbol: str, found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Raises Refusal where the one symbol that was asked for has no data."""
    if symbol not in found:
        raise not_found(f"no data for {symbol}")
    return found[symbol]


def _check_stock_query(request: web.Request, floor: Floor) -> None:
    query = request.query
    feed = query.get("feed") or "iex"
    if feed not in FEEDS:
        raise malformed(f"invalid feed: {feed[:20]}")
    if feed == "sip" and not floor.options.sip:
        raise Refusal(403, 42210000, "subscription does not permit querying recent SIP data")
    if (currency := query.get("currency")) and not _CURRENCY.fullmatch(currency):
        raise malformed(f"invalid currency: {currency[:20]}")
    if not set((query.get("adjustment") or "raw").split(",")) <= _ADJUSTMENTS:
        raise malformed("invalid adjustment")
    # A dash asks for no mapping of symbols that were renamed; here none ever were.
    if query.get("asof") != "-":
        query_date(query, "asof", new_york(floor.venue.now).date())
