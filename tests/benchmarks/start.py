"""`python -m tests.benchmarks.start`: how soon the window is there and alive, what it costs, how soon it is gone.

vnpy's main window is opened in turn with ours in the same run, by the interpreter that PADDOCK_PEERS names (`make bench`
installs vnpy there). A display is needed; without one Xvfb is started.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

RUNS = 5
SETTLE = 8.0
WATCH = 12.0
VNPY = """
from vnpy.event import EventEngine
from vnpy.trader.engine import MainEngine
from vnpy.trader.ui import MainWindow, create_qapp
app = create_qapp()
events = EventEngine()
engine = MainEngine(events)
window = MainWindow(engine, events)
window.showMaximized()
app.processEvents()
print("painted", flush=True)
import time; time.sleep(1)
"""


def say(name: str, value: float, unit: str, limit: float, **more: object) -> None:
    line = {"bench": "start", "name": name, "value": round(value, 3), "unit": unit, "limit": limit}
    print(json.dumps({**line, "ratio_to_limit": round(value / limit, 3), **more}), flush=True)


def wait_for(process: subprocess.Popen[str], word: str) -> float:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == word:
            return time.monotonic()
    raise RuntimeError(f"{word} never came")


def start_paddock(data: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "console", "gui", "--data", str(data)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PADDOCK_MARK": "1"},
    )


def paint_of_vnpy(python: str) -> float:
    started = time.monotonic()
    process = subprocess.Popen([python, "-c", VNPY], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    painted = wait_for(process, "painted") - started
    process.kill()
    process.wait()
    return painted


def measure(peers: str) -> None:
    paints: list[float] = []
    prices: list[float] = []
    stops: list[float] = []
    theirs: list[float] = []
    for run in range(RUNS + 1):
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            process = start_paddock(Path(folder))
            painted = wait_for(process, "painted")
            priced = wait_for(process, "price")
            if run == RUNS:
                load(process)
            asked = time.monotonic()
            process.terminate()
            process.wait()
            if run:  # the first run warms the disk
                paints.append(painted - started)
                prices.append(priced - painted)
                stops.append(time.monotonic() - asked)
        if peers and run:
            theirs.append(paint_of_vnpy(peers))
    peer = {}
    if theirs:
        median = statistics.median(theirs)
        peer = {"peer": "vnpy 4.5 main window", "peer_value": round(median, 3),
                "ratio_to_peer": round(statistics.median(paints) / median, 3)}  # fmt: skip
    say("first paint after process start", statistics.median(paints), "s", 1.0, **peer)
    say("first live price after the window", statistics.median(prices), "s", 5.0)
    say("clean stop", statistics.median(stops), "s", 5.0)


def load(process: subprocess.Popen[str]) -> None:
    """Memory and CPU with the demo running, the Overview in sight."""
    time.sleep(SETTLE)
    console = psutil.Process(process.pid)
    family = [console, *console.children(recursive=True)]
    console.cpu_percent(None)
    time.sleep(WATCH)
    say("console CPU at demo load", console.cpu_percent(None), "% of a core", 20.0)
    say("console memory", console.memory_info().rss / 1e6, "MB resident", 250.0)
    say("whole demo memory", sum(one.memory_info().rss for one in family) / 1e6, "MB resident", 800.0)


def main() -> int:
    if not os.environ.get("DISPLAY") and shutil.which("xvfb-run"):
        command = ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24", sys.executable, "-m", "tests.benchmarks.start"]
        return subprocess.run(command, check=False).returncode
    measure(os.environ.get("PADDOCK_PEERS", ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
