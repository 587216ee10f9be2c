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
from tests.benchmarks.transport_parties import SPAWN, Found, Job, reader, sender
from tests.services import Kafka, Redis
from tests.streams.hub import Hub

ROUNDS = 3
COUNTS = {1: 30_000, 100: 3_000}
WINDOWS = {1: 2_000, 100: 300}
PACED, PER_SECOND = 3_000, 1_000
FAN_OUT, FAN_OUT_GOAL_MS = 10, 5.0
LIBRARIES = {"zeromq": "pyzmq", "redis": "redis-py", "kafka": "aiokafka"}


def run(job: Job, readers: int = 1) -> tuple[list[Found], float]:
    """What each reader found, and the sender's processor time, µs a message; it begins when all readers are ready."""
    ready, go, answers, spent = SPAWN.Semaphore(0), SPAWN.Event(), SPAWN.Queue(), SPAWN.Queue()
    counters = [SPAWN.Value("q", 0, lock=False) for _ in range(readers)]
    parties = [SPAWN.Process(target=reader, args=(job, counter, ready, answers)) for counter in counters]
    parties.append(SPAWN.Process(target=sender, args=(job, counters[0], go, spent)))
    for party in parties:
        party.start()
    for _ in range(readers):
        ready.acquire()
    go.set()
    found = [answers.get(timeout=60) for _ in range(readers)], spent.get(timeout=60)
    for party in parties:
        party.join(30)
    return found


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


def one_round(address: HubAddress, way: str, batch: int, is_bare: bool) -> dict[str, float]:
    job = Job(address, way, is_bare, batch, COUNTS[batch], WINDOWS[batch])
    (fast,), sender_cpu = run(job)
    (paced,), _ = run(Job(address, way, is_bare, batch, PACED, WINDOWS[batch], PER_SECOND))
    return {
        "rate": job.count / fast.seconds,
        "sender_cpu_us": sender_cpu,
        "reader_cpu_us": fast.cpu_us,
        "p50_us": percentile(paced.waits, 0.5),
        "p99_us": percentile(paced.waits, 0.99),
    }


def measure(address: HubAddress, way: str) -> None:
    for batch in COUNTS:
        rounds = [[one_round(address, way, batch, is_bare) for is_bare in (True, False)] for _ in range(ROUNDS)]
        bare, ours = (
            {name: round(statistics.median(round_[which][name] for round_ in rounds), 1) for name in rounds[0][0]}
            for which in (0, 1)
        )
        cpu = (bare["sender_cpu_us"] + bare["reader_cpu_us"]) / (ours["sender_cpu_us"] + ours["reader_cpu_us"])
        say(
            f"{way}, messages of {batch} candle{'s' if batch > 1 else ''}",
            ours.pop("rate"),
            "messages/s",
            round(statistics.median(round_[1]["rate"] / round_[0]["rate"] for round_ in rounds), 2),
            **ours,
            cpu_ratio=round(cpu, 2),
            peer={"name": LIBRARIES[way], **bare},
        )
    worst = [[round(fan_out(address, way, is_bare), 2) for is_bare in (True, False)] for _ in range(ROUNDS)]
    theirs, mine = (sorted(round_[which] for round_ in worst) for which in (0, 1))
    middle = statistics.median(mine)
    say(f"{way}, fan-out to {FAN_OUT} readers, worst reader's p99", middle, "ms", round(FAN_OUT_GOAL_MS / middle, 2),
        goal=FAN_OUT_GOAL_MS, rounds_ms=mine, bare_rounds_ms=theirs)  # fmt: skip


def fan_out(address: HubAddress, way: str, is_bare: bool) -> float:
    """Milliseconds: the worst reader's p99."""
    found, _ = run(Job(address, way, is_bare, 1, PACED, 0, PER_SECOND), FAN_OUT)
    return max(percentile(one.waits, 0.99) for one in found) / 1e3


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
