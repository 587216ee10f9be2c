"""All that differs between an engine's journal, read from its file, and the ledger of the exchange, read over REST."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from engine.domain.errors import DataError
from engine.domain.orders import Fill, Order, OrderStatus
from engine.storage.trail import verify

NEVER_THERE = frozenset({OrderStatus.REJECTED, OrderStatus.BLOCKED, OrderStatus.UNRESOLVED, OrderStatus.SENT})
PAGE = 500


class Account(msgspec.Struct, frozen=True):
    """One of the exchange's: it has one for each key."""

    url: str
    key: str = "key"


async def differences(journal: Path, account: Account) -> list[str]:
    """Each order once, each execution once, positions equal, the chain of rows whole."""
    venue = {said["client_order_id"]: said for said in await all_orders(account)}
    executions = await _all_fills(account)
    held = {said["symbol"]: Decimal(said["qty"]) for said in await _get(account, "/v2/positions")}
    orders, fills = _read(journal)
    return [
        *_of_orders(orders, venue),
        *_of_executions(fills, executions),
        *_of_positions(fills, held),
        *_of_rows(journal),
    ]


def _of_orders(orders: dict[str, Order], venue: dict[str, Any]) -> list[str]:
    problems = [f"{key} is not in the journal" for key in venue if key not in orders]
    for key, order in orders.items():
        said = venue.get(key)
        if said is None:
            if order.status not in NEVER_THERE:
                problems.append(f"{key} is {order.status.value} and the venue never had it")
        elif (order.status.value, order.filled_quantity) != (said["status"], Decimal(said["filled_qty"])):
            problems.append(f"{key} is {order.status.value}, at the venue {said['status']}")
    return problems


def _of_executions(fills: list[Fill], executions: list[Any]) -> list[str]:
    known = Counter(fill.execution_id for fill in fills)
    told = Counter(said["id"].rpartition("::")[2] for said in executions)
    return [
        f"{key} is {known[key]} times here and {told[key]} there" for key in known | told if known[key] != told[key]
    ]


def _of_positions(fills: list[Fill], held: dict[str, Decimal]) -> list[str]:
    ours: dict[str, Decimal] = defaultdict(Decimal)
    for fill in fills:
        ours[fill.symbol] += fill.quantity * fill.side.sign
    if {symbol: quantity for symbol, quantity in ours.items() if quantity} == held:
        return []
    return [f"positions are {dict(ours)} here and {held} there"]


def _of_rows(journal: Path) -> list[str]:
    try:
        verify(journal)
    except DataError as error:
        return [error.message]
    return []


def _read(journal: Path) -> tuple[dict[str, Order], list[Fill]]:
    with contextlib.closing(sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True)) as database:
        orders = [msgspec.json.decode(body, type=Order) for (body,) in database.execute("SELECT body FROM orders")]
        fills = [msgspec.json.decode(body, type=Fill) for (body,) in database.execute("SELECT body FROM fills")]
    return {order.client_order_id: order for order in orders}, fills


async def all_orders(account: Account) -> list[Any]:
    """Oldest first; orders of one instant are asked for again, as pages begin after a time."""
    found: dict[str, Any] = {}
    query = {"status": "all", "limit": str(PAGE), "direction": "asc"}
    while fresh := [one for one in await _get(account, "/v2/orders", **query) if one["id"] not in found]:
        found |= {one["id"]: one for one in fresh}
        query["after"] = fresh[max(len(fresh) - 2, 0)]["submitted_at"]
    return list(found.values())


async def _all_fills(account: Account) -> list[Any]:
    found: list[Any] = []
    query = {"direction": "asc", "page_size": "100"}
    while page := await _get(account, "/v2/account/activities/FILL", **query):
        found += page
        query["page_token"] = page[-1]["id"]
    return found


async def _get(account: Account, path: str, **query: str) -> Any:
    keys = {"APCA-API-KEY-ID": account.key, "APCA-API-SECRET-KEY": "secret"}
    async with (
        aiohttp.ClientSession(headers=keys) as session,
        session.get(account.url + path, params=query) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return await answer.json()
