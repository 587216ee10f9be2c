"""`python -m tests.benchmarks.stream`: socket to candle, beside alpaca-py's StockDataStream, one JSON object a line.

Ours is all that the feed does: read, decode, validate, remove duplicates, judge prices, conflate quotes, build candles of
all lengths, publish. alpaca-py gives models, or raw maps, to a handler that does nothing. Each client is a process of
its own, gets the same frames from the same server, and they take turns, because the machine is shared; what is compared
is the processor time of the client, in which nobody else's work is. A machine's speed changes while others use it, too:
a ratio is the median of those of each turn.
"""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import statistics
import sys
import time
from array import array
from bisect import bisect_left
from itertools import accumulate
from multiprocessing.connection import Connection
from typing import Any

from tests.benchmarks.stream_frames import STEP, SYMBOLS, StreamServer

ROUNDS = 7
MESSAGES = {1: 60_000, 20: 300_000}
PACE = 10_000
PACED_SECONDS = 8
MEMORY_MESSAGES = 10_000_000
WARM = 0.1
"""Of the messages: not measured."""


class Meter:
    """Counts messages of a client; processor time from the first tenth to the end."""

    def __init__(self, total: int) -> None:
        self.count = 0
        self.done = asyncio.Event()
        self._total = total
        self.warm = False
        self._from = 0
        self._cpu = self._wall = 0.0

    def add(self, count: int) -> None:
        self.count += count
        if not self.warm and self.count >= self._total * WARM:
            self.warm = True
            self._from, self._cpu, self._wall = self.count, time.process_time(), time.perf_counter()
        if self.count >= self._total and not self.done.is_set():
            self._cpu, self._wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
            self.done.set()

    def result(self) -> dict[str, float]:
        measured = self.count - self._from
        return {"cpu_us": self._cpu / measured * 1e6, "per_second": measured / self._wall}


class Latencies:
    """Whole microseconds up to 0.1 s, counted: a list of them would grow by more than the feed that is measured."""

    def __init__(self) -> None:
        self._counts = array("q", bytes(8 * 100_000))

    def add(self, seconds: float) -> None:
        self._counts[min(int(seconds * 1e6), len(self._counts) - 1)] += 1

    def quantile(self, share: float) -> int:
        counts = list(accumulate(self._counts))
        return bisect_left(counts, share * counts[-1])


async def ours(url: str, total: int) -> dict[str, Any]:
    from engine.domain.market import Bar
    from engine.market.hours import NewYorkDays
    from engine.market.processor import Processor
    from engine.market.sources.alpaca import AlpacaStream
    from engine.market.sources.connection import BurstConnection
    from engine.streams.messages import Candles, Quotes

    bars = 0
    sent: list[Any] = []

    def give_out(found: list[Bar]) -> None:
        nonlocal bars
        bars += len(found)
        sent[:] = [Candles(found[0].timeframe, found)]

    meter, processor = Meter(total), Processor(give_out)
    hours = NewYorkDays()
    for symbol in SYMBOLS:
        processor.watch(symbol, hours)
    stream = AlpacaStream("bench", url, "key", "secret")
    stream.symbols = set(SYMBOLS)
    latencies = Latencies()
    received = [0.0]
    take_in = BurstConnection.data_received

    def note_receipt(connection: BurstConnection, data: bytes) -> None:
        if not connection._frames:
            received[0] = time.perf_counter()
        take_in(connection, data)

    BurstConnection.data_received = note_receipt  # type: ignore[method-assign,assignment]

    async def flush() -> None:
        while True:
            await asyncio.sleep(0.1)
            sent[:] = [Quotes(processor.board.drain())]
            for candles in processor.candles.values():
                sent[:] = candles.growing()

    async def follow() -> None:
        conflated = 0
        async for batch in stream:
            count = batch.count
            processor.take(batch)
            meter.add(count + stream.conflated - conflated)
            conflated = stream.conflated
            if meter.warm:
                latencies.add(time.perf_counter() - received[0])

    tasks = [asyncio.create_task(flush()), asyncio.create_task(follow())]
    await meter.done.wait()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert bars
    assert processor.normaliser.rejections.total == 0, processor.normaliser.rejections.counts
    return {
        **meter.result(),
        "bars": bars,
        "conflated": stream.conflated,
        "p50_us": latencies.quantile(0.5),
        "p99_us": latencies.quantile(0.99),
        "rss_mb": _resident(),
    }


async def theirs(url: str, total: int, raw: bool) -> dict[str, Any]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from alpaca.data.live.stock import StockDataStream

    meter = Meter(total)

    async def handle(_: Any) -> None:
        meter.add(1)

    stream = StockDataStream("key", "secret", raw_data=raw, url_override=url)
    stream.subscribe_trades(handle, *SYMBOLS)
    stream.subscribe_quotes(handle, *SYMBOLS)
    task = asyncio.create_task(stream._run_forever())
    await meter.done.wait()
    await stream.stop_ws()
    await stream.close()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return meter.result()


def _resident() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss / 1e6)


def _client(pipe: Connection, kind: str, url: str, total: int) -> None:
    """Each as it is meant to be run: ours as the feed worker does, alpaca-py by asyncio."""
    if kind == "ours":
        from engine import event_loop
        from engine.garbage import spare_the_living
        from engine.market.packed import decoder
        from engine.market.sources import overload

        decoder.load()
        overload.LONGEST_FULL = float("inf")  # conflation would spare us work that the others do
        spare_the_living(50_000, 20, 50)
        pipe.send(event_loop.run(ours(url, total)))
        return
    gc.collect()
    gc.freeze()
    pipe.send(asyncio.run(theirs(url, total, raw=kind == "raw")))


def measure(kind: str, messages: int, batch: int, rate: int = 0, cycles: int = 1, step: int = STEP) -> dict[str, Any]:
    context = multiprocessing.get_context("spawn")
    with StreamServer(messages, batch, rate, cycles, step) as url:
        pipe, theirs_end = context.Pipe()
        process = context.Process(target=_client, args=(theirs_end, kind, url, messages * cycles))
        process.start()
        theirs_end.close()
        try:
            found: dict[str, Any] = pipe.recv()
        finally:
            process.kill()
            process.join()
    return found


def throughput(batch: int) -> None:
    rounds: dict[str, list[dict[str, Any]]] = {"ours": [], "models": [], "raw": []}
    for _ in range(ROUNDS):
        for kind, found in rounds.items():
            found.append(measure(kind, MESSAGES[batch] if kind == "ours" else MESSAGES[batch] // 3, batch))
    cpu = {kind: statistics.median(one["cpu_us"] for one in found) for kind, found in rounds.items()}
    wall = {kind: statistics.median(one["per_second"] for one in found) for kind, found in rounds.items()}
    say(
        "socket_to_candle",
        batch=batch,
        messages_per_second=round(wall["ours"]),
        cpu_us=round(cpu["ours"], 2),
        alpaca_models_per_second=round(wall["models"]),
        alpaca_models_cpu_us=round(cpu["models"], 2),
        alpaca_raw_per_second=round(wall["raw"]),
        alpaca_raw_cpu_us=round(cpu["raw"], 2),
        ratio_to_models=round(_ratio(rounds["models"], rounds["ours"]), 2),
        ratio_to_raw=round(_ratio(rounds["raw"], rounds["ours"]), 2),
    )


def _ratio(theirs: list[dict[str, Any]], ours: list[dict[str, Any]]) -> float:
    return float(statistics.median(one["cpu_us"] / other["cpu_us"] for one, other in zip(theirs, ours, strict=True)))


def latency(batch: int) -> None:
    found = measure("ours", PACE * PACED_SECONDS, batch, rate=PACE)
    say("receipt_to_publish", batch=batch, rate=PACE, p50_us=round(found["p50_us"]), p99_us=round(found["p99_us"]))


def memory() -> None:
    """The half hour of seconds that the candles keep is full before the first look: a tape of 1,000 messages a second."""
    few, many = (
        measure("ours", 1_000_000, 20, cycles=cycles, step=1_000_000) for cycles in (2, MEMORY_MESSAGES // 1_000_000)
    )
    say(
        "memory",
        messages=MEMORY_MESSAGES,
        rss_mb_after_2_million=round(few["rss_mb"]),
        rss_mb=round(many["rss_mb"]),
        ratio=round(many["rss_mb"] / few["rss_mb"], 3),
    )


def say(name: str, **figures: object) -> None:
    print(json.dumps({"bench": "stream", "name": name, **figures}), flush=True)


def main() -> None:
    parts = sys.argv[1:] or ["throughput", "latency", "memory"]
    for batch in (20, 1):
        if "throughput" in parts:
            throughput(batch)
        if "latency" in parts:
            latency(batch)
    if "memory" in parts:
        memory()


if __name__ == "__main__":
    main()
