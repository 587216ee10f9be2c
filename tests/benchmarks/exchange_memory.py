"""What a million orders leave in the memory of an exchange without a state folder: resident size on the way."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from multiprocessing.connection import Connection

import psutil

from engine.exchange.keeper import Keeper
from engine.exchange.prices.synthetic import SyntheticPrices
from engine.exchange.sessions import AlwaysOpen
from engine.exchange.store import Store
from engine.exchange.ticket import read_order
from engine.exchange.venue import Venue

FIRST, LAST = 100_000, 1_000_000
BATCH = 50


def measure() -> dict[str, object]:
    """Resident megabytes after the first and the last order, and their ratio. In a process of its own."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_send_all, args=(theirs,), daemon=True)
    process.start()
    (first, last, seconds) = ours.recv()
    process.join()
    return {
        "orders": LAST,
        "mb_at_first": round(first / 1e6, 1),
        "mb_at_last": round(last / 1e6, 1),
        "ratio": round(last / first, 3),
        "orders_per_second": round(LAST / seconds),
    }


def _send_all(pipe: Connection) -> None:
    pipe.send(asyncio.run(_send()))


async def _send() -> tuple[int, int, float]:
    now = 1_763_700_000_000_000_000
    store = Store(None)
    venue = Venue(SyntheticPrices(("SPY",), 1, now, recent=1), AlwaysOpen(), archive=store.archive)
    keeper = Keeper(store, venue.desks)
    desk = venue.desk("account", now)
    body = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "limit", "time_in_force": "gtc", "limit_price": "1.5"}
    sizes: list[int] = []
    started = time.perf_counter()
    for number in range(1, LAST + 1):
        ticket = read_order({**body, "client_order_id": f"order-{number}"}, venue.catalogue)
        venue.cancel(desk, venue.submit(desk, ticket, now + number * 1_000).order_id, now + number * 1_000)
        if number % BATCH == 0:
            await keeper.keep(venue.books.take_changes())
        if number in (FIRST, LAST):
            sizes.append(psutil.Process().memory_info().rss)
    seconds = time.perf_counter() - started
    store.close()
    return sizes[0], sizes[1], seconds
