"""Supervision: how soon a command shows, a worker runs, ends, is back after a crash, is found hung; and what it costs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

from engine.clock import SystemClock
from engine.processes.events import ProcessEvent, StateChanged
from engine.processes.specification import ProcessSpec
from engine.processes.states import ProcessState as S
from engine.processes.supervisor import Supervisor
from engine.tables import Table
from engine.views import ProcessRow
from tests.benchmarks import processes_cost as cost
from tests.benchmarks.processes_window import command_to_window

ROUNDS = 5
COMMAND = (sys.executable, "-m", "tests.processes.worker")
LIMITS = {
    "command to state change": 0.1, "start to ready": 1.0, "stop to reaped": 1.0, "command to state in the window": 0.1,
}  # fmt: skip
COUNTS = (12, 100)


class Stopwatch:
    """When the one worker last came into each state."""

    def __init__(self) -> None:
        self.at: dict[S, float] = {}
        self.table: Table[ProcessRow] = Table()
        self.supervisor = Supervisor(self.table, SystemClock(), log_folder=None, on_event=self._hear, seed=1)
        self.supervisor.add(
            ProcessSpec(name="worker", kind="test", group="test", command=COMMAND, settings=lambda: {"mode": "well"})
        )

    def _hear(self, event: ProcessEvent) -> None:
        if isinstance(event, StateChanged):
            self.at[event.new] = time.perf_counter()

    async def reach(self, state: S) -> None:
        await self.supervisor.wait_state("worker", [state], 60)

    def strike(self, number: signal.Signals) -> float:
        row = self.table.get("worker")
        assert row is not None
        os.kill(row.pid, number)
        return time.perf_counter()


async def measure() -> dict[str, list[float]]:
    """Seconds of each round."""
    watch, found = Stopwatch(), defaultdict[str, list[float]](list)
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await watch.supervisor.start(["worker"])
        await watch.reach(S.RUNNING)
        found["command to state change"].append(watch.at[S.STARTING] - began)
        found["start to ready"].append(watch.at[S.RUNNING] - began)
        killed = watch.strike(signal.SIGKILL)
        await watch.reach(S.BACKOFF)
        await watch.reach(S.RUNNING)
        found["crash to running again"].append(watch.at[S.RUNNING] - killed)
        began = time.perf_counter()
        await watch.supervisor.stop(["worker"])
        found["command to state change"].append(watch.at[S.STOPPING] - began)
        found["stop to reaped"].append(watch.at[S.STOPPED] - began)
    await watch.supervisor.start(["worker"])
    await watch.reach(S.RUNNING)
    stopped = watch.strike(signal.SIGSTOP)
    await watch.reach(S.UNRESPONSIVE)
    found["detection of a hang (limit 10 s)"] = [watch.at[S.UNRESPONSIVE] - stopped]
    await watch.supervisor.stop_all()
    return found


def main() -> int:
    found = asyncio.run(measure())
    watch = Stopwatch()
    found["command to state in the window"] = command_to_window(watch.supervisor, watch.table)
    for name, seconds in found.items():
        middle = statistics.median(seconds)
        figure = {"figure": name, "ms": round(middle * 1e3, 1), "worst ms": round(max(seconds) * 1e3, 1)}
        if name in LIMITS:
            figure["of its limit"] = round(middle / LIMITS[name], 3)
        print(json.dumps(figure), flush=True)
    peers = os.environ.get("PADDOCK_PEERS")
    for count in COUNTS:
        costs = {"paddock": cost.ours(count)}
        if peers:
            costs |= {"supervisord": cost.supervisord(Path(peers), count), "circus": cost.circus(Path(peers), count)}
        mine = costs["paddock"]
        for name, peer in costs.items():
            said = {"figure": f"supervising {count} children", "by": name, "CPU %": peer.cpu_percent}
            said |= {
                "memory MB": peer.memory_mb,
                "our CPU to it": round(mine.cpu_percent / max(peer.cpu_percent, 0.01), 2),
            }
            print(json.dumps(said), flush=True)
    return int(any(statistics.median(found[name]) > limit for name, limit in LIMITS.items()))


if __name__ == "__main__":
    sys.exit(main())
