"""A parent for the tests: supervises one child, prints its pid, and waits to be killed."""

from __future__ import annotations

import asyncio
import sys

from engine.processes.states import ProcessState
from tests.processes.test_supervisor import Stage


async def main() -> None:
    stage = Stage()
    stage.add("deaf")
    await stage.supervisor.start(["child"])
    await stage.reaches(ProcessState.RUNNING)
    sys.stdout.write(f"{stage.row().pid}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
