"""Orders and positions over REST."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any

import msgspec
from aiohttp import web

from engine.domain.orders import OrderType, TimeInForce
from engine.exchange import wire, wire_account
from engine.exchange.adjustment import adjust
from engine.exchange.archive import OrderQuery
from engine.exchange.assets import Asset
from engine.exchange.desk import Desk
from engine.exchange.numbers import MAX_PRICE, MAX_QUANTITY, read_number, read_price, to_number
from engine.exchange.orders import QUANTITY_STEP
from engine.exchange.records import OrderRecord
from engine.exchange.refusals import Refusal, invalid, not_found
from engine.exchange.server.floor import Floor
from engine.exchange.server.http import DESK, read_json, reply
from engine.exchange.server.times import query_flag, query_integer, query_list, query_time, query_word
from engine.exchange.sessions import midnight
from engine.exchange.ticket import read_client_order_id, read_order
from engine.exchange.triggers import to_decimal
from engine.exchange.venue import Venue

_REPLACE_TIMES = (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)


class TradingRoutes:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        floor.shown["positions"] = self._positions

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v2/orders", self.submit),
            web.get("/v2/orders", self.list_orders, allow_head=False),
            web.delete("/v2/orders", self.cancel_all),
            web.get("/v2/orders:by_client_order_id", self.by_client_order_id, allow_head=False),
            web.get("/v2/orders/{order_id}", self.get_order, allow_head=False),
            web.patch("/v2/orders/{order_id}", self.replace),
            web.delete("/v2/orders/{order_id}", self.cancel),
            web.get("/v2/positions", self.list_positions, allow_head=False),
            web.delete("/v2/positions", self.close_all),
            web.get("/v2/positions/{symbol:.+}", self.get_position, allow_head=False),
            web.delete("/v2/positions/{symbol:.+}", self.close_position),
        ]

    async def submit(self, request: web.Request) -> web.Response:
        floor = self._floor
        ticket = read_order(await read_json(request), floor.venue.catalogue)
        record = floor.venue.submit(request[DESK], ticket, floor.stamp())
        await floor.commit()
        return reply(wire.order(record, request[DESK].legs(record)))

    async def list_orders(self, request: web.Request) -> web.Response:
        limit = query_integer(request.query, "limit", 50, 1, 500)
        query, desk = _order_query(request.query), request[DESK]
        found = desk.select(query, limit)
        return reply([wire.order(record, desk.legs(record) if query.roots_only else ()) for record in found])

    async def by_client_order_id(self, request: web.Request) -> web.Response:
        client_order_id = request.query.get("client_order_id", "")
        record = request[DESK].find_client(client_order_id)
        if record is None:
            raise not_found(f"order not found for {client_order_id}")
        return reply(wire.order(record))

    async def get_order(self, request: web.Request) -> web.Response:
        desk = request[DESK]
        record = self._floor.venue.order(desk, request.match_info["order_id"])
        return reply(wire.order(record, desk.legs(record) if query_flag(request.query, "nested") else ()))

    async def cancel(self, request: web.Request) -> web.Response:
        self._floor.venue.cancel(request[DESK], request.match_info["order_id"], self._floor.stamp())
        await self._floor.commit()
        return web.Response(status=204)

    async def cancel_all(self, request: web.Request) -> web.Response:
        ids = self._floor.venue.cancel_all(request[DESK], self._floor.stamp())
        await self._floor.commit()
        return reply([{"id": order_id, "status": 200} for order_id in ids], 207)

    async def replace(self, request: web.Request) -> web.Response:
        floor, desk = self._floor, request[DESK]
        old = floor.venue.order(desk, request.match_info["order_id"])
        asset = floor.venue.catalogue.find(old.symbol)
        if asset is None:
            raise not_found(f"asset not found for {old.symbol}")
        changed = _read_replacement(await read_json(request), old, asset)
        record = floor.venue.replace(desk, old.order_id, changed, floor.stamp())
        await floor.commit()
        return reply(wire.order(record))

    async def list_positions(self, request: web.Request) -> web.Response:
        return reply(self._positions(request[DESK]))

    async def get_position(self, request: web.Request) -> web.Response:
        return reply(self._position(request[DESK], self._held(request).symbol))

    async def close_position(self, request: web.Request) -> web.Response:
        floor, desk = self._floor, request[DESK]
        symbol = self._held(request).symbol
        quantity = _close_quantity(request.query.get("qty"), request.query.get("percentage"), desk, symbol)
        record = floor.venue.close_position(desk, symbol, quantity, floor.stamp())
        await floor.commit()
        return reply(wire.order(record))

    async def close_all(self, request: web.Request) -> web.Response:
        floor, desk = self._floor, request[DESK]
        if query_flag(request.query, "cancel_orders"):
            floor.venue.cancel_all(desk, floor.stamp())
        results = [self._close(desk, symbol) for symbol in sorted(desk.account.holdings)]
        await floor.commit()
        return reply(results, 207)

    def _close(self, desk: Desk, symbol: str) -> dict[str, Any]:
        shown = symbol.replace("/", "")
        try:
            record = self._floor.venue.close_position(desk, symbol, None, self._floor.stamp())
        except Refusal as refusal:
            return {"symbol": shown, "status": refusal.status, "body": refusal.body}
        return {"symbol": shown, "status": 200, "body": wire.order(record)}

    def _held(self, request: web.Request) -> Asset:
        name = request.match_info["symbol"]
        asset = self._floor.venue.catalogue.find(name)
        if asset is None or request[DESK].account.quantity(asset.symbol) == 0:
            raise not_found("position does not exist")
        return asset

    def _positions(self, desk: Desk) -> list[dict[str, Any]]:
        return [self._position(desk, symbol) for symbol in sorted(desk.account.holdings)]

    def _position(self, desk: Desk, symbol: str) -> dict[str, Any]:
        venue = self._floor.venue
        asset = venue.catalogue.find(symbol)
        if asset is None:
            raise not_found(f"asset not found for {symbol}")
        return wire_account.position(
            desk.account.holdings[symbol],
            asset,
            venue.price_of(symbol),
            _previous_close(venue, symbol),
            desk.account.available(symbol),
        )


def _previous_close(venue: Venue, symbol: str) -> Decimal:
    """The close of the last day before today, as a split since then makes it; 0 when there is none."""
    days = venue.tape.symbols[symbol].daily_bars(0, midnight(venue.now) - 1, venue.now)[-1:]
    days = adjust(days, venue.registrar.calendar.effective(symbol), ["split"], is_daily=True)
    return to_decimal(float(days.close[-1])) if len(days) else Decimal(0)


def _order_query(query: Mapping[str, str]) -> OrderQuery:
    """With `nested`, the legs of complex orders come inside them only."""
    fields: dict[str, object] = {
        "status": query_word(query, "status", "open", ("open", "closed", "all")),
        "after": query_time(query, "after"),
        "until": query_time(query, "until"),
        "side": query_word(query, "side", "any", ("buy", "sell", "any")).replace("any", ""),
        "symbols": frozenset(symbol.replace("/", "") for symbol in query_list(query, "symbols")),
        "roots_only": query_flag(query, "nested"),
        "newest_first": query_word(query, "direction", "desc", ("asc", "desc")) == "desc",
    }
    return msgspec.convert(fields, OrderQuery)


def _read_replacement(body: dict[str, Any], old: OrderRecord, asset: Asset) -> dict[str, object]:
    """The Ticket fields that a replace request changes."""
    changed: dict[str, object | None] = {
        "quantity": read_number(body, "qty", MAX_QUANTITY, QUANTITY_STEP),
        "limit_price": read_price(body, "limit_price", asset),
        "stop_price": read_price(body, "stop_price", asset),
        "client_order_id": read_client_order_id(body) or None,
    }
    if body.get("time_in_force") is not None:
        if body["time_in_force"] not in _REPLACE_TIMES:
            raise invalid("invalid time_in_force")
        changed["time_in_force"] = TimeInForce(body["time_in_force"])
    if body.get("trail") is not None:
        if old.type is not OrderType.TRAILING_STOP:
            raise invalid("trail is for trailing stop orders only")
        name = "trail_price" if old.trail_price is not None else "trail_percent"
        changed[name] = read_number(body, "trail", MAX_PRICE, Decimal("0.0001"))
    return {name: value for name, value in changed.items() if value is not None}


def _close_quantity(quantity: str | None, percentage: str | None, desk: Desk, symbol: str) -> Decimal | None:
    """Units to close; None for the whole position."""
    if quantity and percentage:
        raise invalid("only one of qty or percentage is accepted")
    if quantity:
        return read_number({"qty": quantity}, "qty", MAX_QUANTITY, QUANTITY_STEP)
    if not percentage:
        return None
    share = to_number(percentage, "percentage")
    if not 0 < share <= 100:
        raise invalid("percentage must be above 0 and at most 100")
    held = abs(desk.account.quantity(symbol))
    amount = (held * share / 100).quantize(QUANTITY_STEP, ROUND_DOWN)
    if desk.account.quantity(symbol) < 0:
        amount = amount.to_integral_value(ROUND_DOWN)
    if amount <= 0:
        raise invalid("percentage is too small for this position")
    return amount
