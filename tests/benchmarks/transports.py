"""The hub's three transports beside their bare client libraries in one run: rate, waits, and the fan-out to ten readers.

A message carries 1 or 100 candles. Kafka is the mock inside librdkafka, so its figures compare clients, not brokers.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from engine.streams.address import HubAddress, KafkaAddress, RedisAddress, Sharing, private_hub_address
from tests.benchmarks.transport_parties import SPAWN, Job, reader, sender
from tests.services import Kafka, Redis
from tests.streams.hub import Hub

ROUNDS = 1
COUNTS = {1: 30_000, 100: 3_000}
WINDOWS = {1: 2_000, 100: 300}
PACED, PER_SECOND = 3_000, 1_000
FAN_OUT, FAN_OUT_GOAL_MS = 10, 5.0
LIBRARIES = {"zeromq": "pyzmq", "redis": "redis-py", "kafka": "aiokafka"}


def run(job: Job, readers: int = 1) -> list[tuple[list[float], float]]:
    """What each reader found; the sender begins when all are ready."""
    ready, go, answers = SPAWN.Semaphore(0), SPAWN.Event(), SPAWN.Queue()
    counters = [SPAWN.Value("q", 0) for _ in range(readers)]
    parties = [SPAWN.Process(target=reader, args=(job, counter, ready, answers)) for counter in counters]
    parties.append(SPAWN.Process(target=sender, args=(job, counters[0], go)))
    for party in parties:
        party.start()
    for _ in range(readers):
        ready.acquire()
    go.set()
    found = [answers.get(timeout=60) for _ in range(readers)]
    for party in parties:
        party.join(30)
    return found


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


def rate_and_waits(address: HubAddress, way: str, batch: int, is_bare: bool) -> dict[str, float]:
    rates, p50, p99 = [], [], []
    for _ in range(ROUNDS):
        job = Job(address, way, is_bare, batch, COUNTS[batch], WINDOWS[batch])
        rates.append(COUNTS[batch] / run(job)[0][1])
        waits = run(Job(address, way, is_bare, batch, PACED, WINDOWS[batch], PER_SECOND))[0][0]
        p50.append(percentile(waits, 0.5))
        p99.append(percentile(waits, 0.99))
    return {
        "rate": statistics.median(rates),
        "p50_us": round(statistics.median(p50)),
        "p99_us": round(statistics.median(p99)),
    }


def measure(address: HubAddress, way: str) -> None:
    for batch in COUNTS:
        bare, ours = (rate_and_waits(address, way, batch, is_bare) for is_bare in (True, False))
        say(
            f"{way}, messages of {batch} candle{'s' if batch > 1 else ''}",
            round(ours["rate"]),
            "messages/s",
            round(ours["rate"] / bare["rate"], 2),
            candles_per_second=round(ours["rate"] * batch),
            p50_us=ours["p50_us"],
            p99_us=ours["p99_us"],
            peer={"name": LIBRARIES[way], "rate": round(bare["rate"]), **{k: bare[k] for k in ("p50_us", "p99_us")}},
        )
    waits = [percentile(found, 0.99) for found, _ in run(Job(address, way, False, 1, PACED, 0, PER_SECOND), FAN_OUT)]
    worst = max(waits) / 1e3
    say(f"{way}, fan-out to {FAN_OUT} readers, worst reader's p99", round(worst, 2), "ms",
        round(FAN_OUT_GOAL_MS / worst, 2), goal=FAN_OUT_GOAL_MS, median_p99_ms=round(statistics.median(waits) / 1e3, 2))  # fmt: skip


def say(what: str, value: float, unit: str, ratio: float, **more: Any) -> None:
    print(json.dumps({"what": what, "value": value, "unit": unit, "ratio": ratio, **more}), flush=True)


async def main(ways: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name, ExitStack() as servers:
        for way in ways:
            folder = Path(name) / way
            folder.mkdir()
            hub = Hub(private_hub_address(folder / "hub", _sharing(way, folder, servers)))
            await hub.start()
            await asyncio.to_thread(measure, hub.address, way)
            await hub.close()


def _sharing(way: str, folder: Path, servers: ExitStack) -> Sharing | None:
    if way == "redis":
        redis = Redis(folder)
        redis.start()
        servers.callback(redis.kill)
        return Sharing(redis=RedisAddress(host="127.0.0.1", port=redis.port))
    if way == "kafka":
        kafka = Kafka()
        kafka.start()
        servers.callback(kafka.kill)
        return Sharing(kafka=KafkaAddress(servers=kafka.bootstrap))
    return None


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] or list(LIBRARIES)))
