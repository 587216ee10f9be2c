"""`python -m tests.benchmarks.market`: frames to candles, beside alpaca-py's own decoding of the same frames, JSON lines.

Ours is everything between socket and hub: decode, normalise, last prices, candles of all lengths. alpaca-py's is
msgpack to its models, and to raw maps, dispatched to a handler that does nothing. No sockets on either side.
"""

from __future__ import annotations

import asyncio
import json
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import msgpack  # type: ignore[import-untyped]
import msgspec

from engine.clock import SystemClock
from engine.market.candles import Candles
from engine.market.feed import Feed
from engine.market.frames import decode
from engine.market.history.chunks import ChunkCache
from engine.market.history.ranges import BarHistory
from engine.market.history.sources import BrokerSource
from engine.market.rest import MarketRest
from engine.market.stream import DataStream
from engine.streams.messages import Candles as CandlesMessage
from engine.streams.messages import Message

MESSAGES = 40_000
SYMBOLS = [f"SYM{n}" for n in range(12)]
START = 1_700_000_000


def frames(batch: int) -> list[bytes]:
    """Half trades, half quotes, ten milliseconds apart."""
    messages = [_message(number) for number in range(MESSAGES)]
    return [msgspec.msgpack.encode(messages[at : at + batch]) for at in range(0, MESSAGES, batch)]


def _message(number: int) -> dict[str, Any]:
    nanoseconds = number * 10_000_000
    stamp = (nanoseconds % 1_000_000_000 << 34) | (START + nanoseconds // 1_000_000_000)
    common = {"S": SYMBOLS[number % 12], "t": msgspec.msgpack.Ext(-1, stamp.to_bytes(8, "big")), "z": "C"}
    if number // 12 % 2:
        return {"T": "q", **common, "bx": "V", "bp": 99.9, "bs": 1, "ax": "V", "ap": 100.1, "as": 2, "c": ["R"]}
    return {"T": "t", **common, "i": number, "x": "V", "p": 100 + number % 7 / 10, "s": 100, "c": ["@"]}


def ours(data: list[bytes]) -> int:
    async def run() -> int:
        bars = 0

        def publish(topic: str, message: Message) -> None:
            nonlocal bars
            bars += len(message.bars) if isinstance(message, CandlesMessage) else 0

        rest = MarketRest("http://127.0.0.1", "http://127.0.0.1", "key", "secret", "iex")
        past = BarHistory(ChunkCache(SystemClock(), "iex"), [BrokerSource(rest)])
        feed = Feed("feed", "iex", rest, publish, SystemClock(), DataStream, past)
        feed._candles.update((symbol, Candles(symbol)) for symbol in SYMBOLS)
        for frame in data:
            feed._take(False, decode(frame))
        await feed.close()
        return bars

    return asyncio.run(run())


def theirs(data: list[bytes], raw: bool) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from alpaca.data.live.stock import StockDataStream

    seen = 0

    async def handle(_: Any) -> None:
        nonlocal seen
        seen += 1

    async def run() -> None:
        stream = StockDataStream("key", "secret", raw_data=raw)
        stream._handlers["trades"] = stream._handlers["quotes"] = {"*": handle}
        for frame in data:
            for message in msgpack.unpackb(frame):
                await stream._dispatch(message)

    asyncio.run(run())
    return seen


def rate(work: Callable[[], object]) -> float:
    """Messages a second of processor time; the best of three, because the machine is shared."""
    best = 0.0
    for _ in range(3):
        began = time.process_time()
        work()
        best = max(best, MESSAGES / (time.process_time() - began))
    return best


def main() -> None:
    for batch in (1, 20):
        data = frames(batch)
        assert theirs(data, raw=False) == MESSAGES
        assert ours(data) > 0
        mine = rate(partial(ours, data))
        models = rate(partial(theirs, data, raw=False))
        raw = rate(partial(theirs, data, raw=True))
        print(
            json.dumps(
                {
                    "bench": "market",
                    "name": "frame_to_candle",
                    "batch": batch,
                    "messages_per_second": round(mine),
                    "alpaca_models_per_second": round(models),
                    "alpaca_raw_per_second": round(raw),
                    "ratio_to_models": round(mine / models, 2),
                    "ratio_to_raw": round(mine / raw, 2),
                }
            ),
            flush=True,
        )


if __name__ == "__main__":
    main()
