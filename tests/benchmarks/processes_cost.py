"""What it costs to supervise children that beat once a second: ours, supervisord and circus, the same children each."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil

from engine.clock import SystemClock
from engine.processes.specification import ProcessSpec
from engine.processes.supervisor import Supervisor
from engine.tables import Table
from engine.views import ProcessRow

CHILD = """\
import sys, time
sys.stdout.write('{"type":"ready"}\\n')
number = 0
while True:
    number += 1
    sys.stdout.write('{"type":"heartbeat","progress":%d}\\n' % number)
    sys.stdout.flush()
    time.sleep(1)
"""
SETTLE, MEASURE = 3.0, 10.0
UP_WITHIN = 120.0


class Cost(msgspec.Struct, frozen=True):
    """CPU of the supervising process in per cent of a core, its resident memory in MB."""

    cpu_percent: float
    memory_mb: float


def ours(count: int) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        return _cost([sys.executable, "-m", "tests.benchmarks.processes_cost", _script(folder), str(count)], count)


def supervisord(python: Path, count: int) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "supervisord.conf")
        config.write_text(
            f"[supervisord]\nnodaemon=true\nlogfile={folder}/log\npidfile={folder}/pid\nchildlogdir={folder}\n"
            f"[program:child]\ncommand={python} -S -E {_script(folder)}\nnumprocs={count}\n"
            "process_name=%(process_num)d\nredirect_stderr=true\n"
        )
        return _cost([str(python.with_name("supervisord")), "-c", str(config)], count)


def circus(python: Path, count: int) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "circus.ini")
        config.write_text(
            f"[circus]\nendpoint=ipc://{folder}/e\npubsub_endpoint=ipc://{folder}/p\n"
            f"[watcher:child]\ncmd={python} -S -E {_script(folder)}\nnumprocesses={count}\n"
            f"stdout_stream.class=FileStream\nstdout_stream.filename={folder}/out\n"
        )
        return _cost([str(python.with_name("circusd")), str(config)], count)


def _script(folder: str) -> str:
    path = Path(folder, "child.py")
    path.write_text(CHILD)
    return str(path)


def _cost(command: list[str], count: int) -> Cost:
    with _running(command) as process:
        deadline = time.perf_counter() + UP_WITHIN
        while len(process.children()) < count and time.perf_counter() < deadline:
            time.sleep(0.1)
        time.sleep(SETTLE)
        before, began = process.cpu_times(), time.perf_counter()
        time.sleep(MEASURE)
        after, taken = process.cpu_times(), time.perf_counter() - began
        used = after.user + after.system - before.user - before.system
        return Cost(round(used / taken * 100, 2), round(process.memory_info().rss / 1e6, 1))


@contextlib.contextmanager
def _running(command: list[str]) -> Iterator[psutil.Process]:
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as it:
        process = psutil.Process(it.pid)
        try:
            yield process
        finally:
            children = process.children(recursive=True)
            it.kill()
            for child in children:
                with contextlib.suppress(psutil.Error):
                    child.kill()


async def _supervise(script: str, count: int) -> None:
    table: Table[ProcessRow] = Table()
    supervisor = Supervisor(table, SystemClock(), log_folder=Path(script).parent, on_event=lambda event: None)
    command = (sys.executable, "-S", "-E", script)
    for number in range(count):
        supervisor.add(ProcessSpec(name=f"child-{number}", kind="child", group="all", settings=dict, command=command))
    await supervisor.start_all()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_supervise(sys.argv[1], int(sys.argv[2])))
