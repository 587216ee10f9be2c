"""A parent for the tests: supervises three children, prints their pids and those of two they started, and waits."""

from __future__ import annotations

import asyncio
import sys

from engine.processes.states import ProcessState
from tests.processes.stage import Stage

CHILDREN = ("deaf", "family", "detached")


async def main() -> None:
    stage = Stage()
    for mode in CHILDREN:
        stage.add(mode, name=mode)
    await stage.supervisor.start(CHILDREN)
    for mode in CHILDREN:
        await stage.reaches(ProcessState.RUNNING, name=mode)
    started = [stage.row(mode).detail for mode in ("family", "detached")]
    sys.stdout.write(" ".join([*(str(stage.row(mode).pid) for mode in CHILDREN), *started]) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
