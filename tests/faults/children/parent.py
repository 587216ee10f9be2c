"""A console in small, to be killed: supervises three workers, and does at random what people and faults do."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from engine.clock import SystemClock
from engine.processes.lifeline import mark
from engine.processes.registry import ChildRegistry
from engine.processes.supervisor import Supervisor
from engine.tables import Table
from engine.views import ProcessRow
from tests.faults.children.chaos import Target, spec_of

WORKERS = 3
ORDERS = ("fork", "fork away", "fork and die", "hang in C", "hang in Python", "refuse to die", "crash", "exit 1")


async def main(folder: Path, seed: int) -> None:
    chance = random.Random(seed)
    table: Table[ProcessRow] = Table()
    registry = ChildRegistry(folder / "children.json")
    supervisor = Supervisor(
        table, SystemClock(), log_folder=None, on_event=lambda event: None, seed=seed, registry=registry
    )
    targets = [Target(f"worker-{number}", supervisor, table, folder) for number in range(WORKERS)]
    for target in targets:
        supervisor.add(spec_of(target))
    sys.stdout.write(f"{mark()}\n")
    sys.stdout.flush()
    await supervisor.start_all()
    commands = set()
    while True:
        await asyncio.sleep(chance.random() * 0.2)
        target = chance.choice(targets)
        if chance.random() < 0.7 and target.row.progress:
            target.order(chance.choice(ORDERS))
        else:
            act = chance.choice([supervisor.start, supervisor.stop, supervisor.restart])
            commands.add(asyncio.create_task(act([target.name])))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
