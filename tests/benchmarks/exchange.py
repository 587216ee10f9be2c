"""`python -m tests.benchmarks.exchange`: what the local exchange can take, one JSON object a line.

Every figure of the server stands beside a bare one from the same run: the same request to a bare aiohttp handler, the
same messages from the encoder alone. Server and clients are separate processes, as in use. Both servers run on asyncio's
own loop, so that the handlers are compared; uvloop, on which the product runs, is quicker for either.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

from engine.domain.market import Quote
from engine.domain.orders import OrderType, Side
from engine.exchange.fills import AlpacaFill
from engine.exchange.matching import MatchingEngine
from engine.exchange.orders import NewOrder
from engine.exchange.server import codec
from tests.benchmarks import exchange_memory
from tests.benchmarks.load import Times, drive, listen, post_request
from tests.benchmarks.servers import Server, a_batch

KEYS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
RESTS = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "limit", "time_in_force": "day", "limit_price": "1"}
FILLS = {"symbol": "SPY", "notional": "1", "side": "buy", "type": "market", "time_in_force": "day"}
SECONDS = 5.0
ROUNDS = 5


def say(name: str, **figures: object) -> None:
    print(json.dumps({"bench": "exchange", "name": name, **figures}), flush=True)


def matching(orders: int = 50_000) -> None:
    """Limit orders against a quote that moves over them: orders and market events a second."""
    engine = MatchingEngine(AlpacaFill(partial_probability=0.0))
    sent = [
        NewOrder(
            order_id=str(n), symbol="SPY", side=Side.BUY, quantity=Decimal(10), type=OrderType.LIMIT,
            limit_price=Decimal(9_000 + n % 2_000) / 100,
        )
        for n in range(orders)
    ]  # fmt: skip
    engine.on_quote(Quote("SPY", 119.99, 100, 120.0, 100, 0))
    started = time.perf_counter()
    for now, order in enumerate(sent):
        engine.submit(order, now)
    submitted = time.perf_counter()
    quotes = [Quote("SPY", 119.99 - n % 20 / 100, 100, 120 - n % 20 / 100, 100, n) for n in range(200_000)]
    prepared = time.perf_counter()
    for quote in quotes:
        engine.on_quote(quote)
    ended = time.perf_counter()
    fills = engine.on_quote(Quote("SPY", 80.0, 100, 80.01, 100, 0))
    swept = time.perf_counter()
    say(
        "matching",
        orders_per_second=round(orders / (submitted - started)),
        events_per_second=round(len(quotes) / (ended - prepared)),
        fills_per_second=round(len(fills) / (swept - ended)),
    )


def orders() -> None:
    """POST /v2/orders on eight connections that never rest, beside the bare handler: the order that stays in the book,
    the order that is filled at once, and the order that is on disk before it is answered.
    """
    _posted("resting", RESTS)
    _posted("filled", FILLS)
    with tempfile.TemporaryDirectory() as folder:
        _posted("durable", RESTS, state=Path(folder))


def _posted(kind: str, order: dict[str, str], **options: object) -> None:
    """In turns, so that whatever else the machine does meets both."""
    ours, bare = Times(), Times()
    with Server("exchange", symbols=("SPY",), **options) as exchange, Server("bare") as other:
        for _ in range(ROUNDS):
            for url, times in ((exchange, ours), (other, bare)):
                asyncio.run(drive(url, post_request(url, "/v2/orders", KEYS, order), SECONDS / ROUNDS, times))
    say(
        "orders",
        kind=kind,
        orders_per_second=round(ours.per_second),
        p50_ms=round(ours.percentile(50), 1),
        p99_ms=round(ours.percentile(99), 1),
        bare_per_second=round(bare.per_second),
        bare_p99_ms=round(bare.percentile(99), 1),
        ratio=round(ours.per_second / bare.per_second, 2),
    )


def fan_out() -> None:
    """Batches of trades and quotes, as fast as the clients take them, beside the encoder alone."""
    events = a_batch()
    started = time.perf_counter()
    for _ in range(100):
        for event in events:
            codec.encode_quote(event, True) if isinstance(event, Quote) else codec.encode_trade(event, True)
    ceiling = 100 * len(events) / (time.perf_counter() - started)
    for clients in (1, 10):
        with Server("stream") as url:
            delivered = asyncio.run(listen(url, clients, SECONDS))
        say(
            "fan_out",
            clients=clients,
            messages_per_second=round(delivered),
            encoder_per_second=round(ceiling),
            ratio=round(delivered / ceiling, 2),
        )


def replay(folder: Path) -> None:
    """The whole of SPY's day through the replay, the tape and the matching engine, without sockets."""
    from engine.exchange.prices.replay import ReplayPrices
    from engine.exchange.sessions import RegularHours
    from engine.exchange.venue import Venue

    started = time.perf_counter()
    source = ReplayPrices(folder, ["SPY"], "2013-10-07")
    read = time.perf_counter()
    venue = Venue(source, RegularHours(source.end), tick_limit=1_000_000)
    assert source.end is not None
    events = 0
    while venue.now < source.end:
        events += len(venue.advance(venue.now + 1_000_000_000).events)
    ended = time.perf_counter()
    say(
        "replay", events=events, events_per_second=round(events / (ended - read)), read_seconds=round(read - started, 2)
    )


def main() -> None:
    matching()
    orders()
    fan_out()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data")
    if (folder / "trades").is_dir():
        replay(folder)
    say("memory", **exchange_memory.measure())


if __name__ == "__main__":
    main()
