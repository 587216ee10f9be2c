"""The supervisor and the hub inside a Qt event loop, as the console runs them (qasync, offscreen)."""

from __future__ import annotations

import os
import subprocess
import sys

SCRIPT = """
import asyncio, concurrent.futures, os, signal, sys, time
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from qasync import QEventLoop
from engine.processes.specification import ProcessSpec
from engine.processes.states import ProcessState
from engine.streams.messages import WATCH, Watch
from engine.streams.address import private_hub_address
from engine.streams.transport import open_hub
from engine.clock import SystemClock
from pathlib import Path
from tests.processes.stage import Stage

async def main():
    stage = Stage()
    stage.add("flood", name="flood")
    stage.add("spew", name="spew")
    for number in range(3):
        stage.add("well", name=f"well-{number}")
    address = private_hub_address(Path(sys.argv[1]))
    stage.supervisor.add(ProcessSpec(name="hub", kind="hub", group="x", settings=lambda: {"hub": address}))
    await stage.supervisor.start_all()
    for name in stage.supervisor.names:
        await stage.reaches(ProcessState.RUNNING, name=name)
    first = stage.row("well-0").pid
    os.kill(first, signal.SIGKILL)
    await stage.reaches(ProcessState.BACKOFF, name="well-0")
    await stage.reaches(ProcessState.RUNNING, name="well-0")
    assert stage.row("well-0").pid != first
    await stage.supervisor.restart([f"well-{number}" for number in range(3)])
    for number in range(3):
        await stage.reaches(ProcessState.RUNNING, name=f"well-{number}")
    transport = open_hub(address, "qt", SystemClock(), reads_in_thread=True)
    await transport.start()
    subscription = transport.subscribe([WATCH])
    seen = []
    async def read():
        async for batch in subscription:
            seen.extend(batch)
    reading = asyncio.create_task(read())
    while not seen:
        transport.publish(WATCH, Watch())
        await asyncio.sleep(0.01)
    await stage.supervisor.sample()
    assert stage.row("hub").rss_bytes > 0
    await transport.close()
    await reading
    await stage.supervisor.stop_all()
    assert {row.state for row in stage.table} == {"STOPPED"}
    print("fine", flush=True)

app = QApplication([])
gaps, last = [], [time.monotonic()]
def tick():
    now = time.monotonic()
    gaps.append(now - last[0])
    last[0] = now
timer = QTimer()
timer.timeout.connect(tick)
timer.start(10)
loop = QEventLoop(app)
loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(4))
with loop:
    loop.run_until_complete(main())
print("longest", round(max(gaps) * 1000), "ms", file=sys.stderr)
"""


def test_children_and_the_hub_live_on_a_qt_event_loop(tmp_path: object) -> None:
    """In a process of its own: a Qt application and its loop leave traces in the one they run in."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, f"{tmp_path}/hub"], env=environment, capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "fine\n", done.stderr
