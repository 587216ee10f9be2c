"""`python -m tests.benchmarks.tabs`: how long the event loop stands still when a tab is looked at for the first time.

A window over a scripted engine; by the clock and, as the machine is shared, by processor time. One JSON line.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path

LIMIT_MS = 50.0
WATCH = 0.6


async def longest_stand(seconds: float) -> list[float]:
    """The longest time between two turns of the loop within `seconds`: milliseconds by the clock, and of work."""
    end, longest, worked = time.perf_counter() + seconds, 0.0, 0.0
    at, cpu = time.perf_counter(), time.thread_time()
    while at < end:
        await asyncio.sleep(0)
        now, cpu_now = time.perf_counter(), time.thread_time()
        longest, worked = max(longest, now - at), max(worked, cpu_now - cpu)
        at, cpu = now, cpu_now
    return [longest * 1e3, worked * 1e3]


async def measure(folder: Path) -> dict[str, list[float]]:
    from PySide6.QtCore import QSettings

    from console.desk import Desk
    from console.window import Window
    from tests.console.scripted_engine import ScriptedEngine

    window = Window("demo", QSettings(str(folder / "w.ini"), QSettings.Format.IniFormat), remember=False)
    window.resize(1600, 1000)
    window.show()
    desk = Desk(ScriptedEngine(), window, 10)
    await asyncio.sleep(0.5)
    desk.engine_runs()
    found = {}
    for position, panel in enumerate(desk.panels):
        asyncio.get_running_loop().call_soon(window.tabs.setCurrentIndex, position)
        found[panel.name] = await longest_stand(WATCH)
    await desk.close()
    window.leave()
    return found


def main() -> None:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("QT_API", "pyside6")
    import qasync
    from PySide6.QtWidgets import QApplication

    from console.theme import apply_theme, load_fonts

    app = QApplication([])
    load_fonts()
    apply_theme(app, "dark")
    loop = qasync.QEventLoop(app)
    asyncio.set_event_loop(loop)
    with loop, tempfile.TemporaryDirectory() as folder:
        found = loop.run_until_complete(measure(Path(folder)))
    worst = max(found, key=lambda name: found[name][1])
    shown = {name: {"ms": round(wall, 1), "cpu_ms": round(cpu, 1)} for name, (wall, cpu) in found.items()}
    print(json.dumps({"bench": "tabs", "name": "loop held up by a tab's first look", "value": round(found[worst][1], 1),
                      "unit": "ms of processor time", "limit": LIMIT_MS, "ratio_to_limit":
                      round(found[worst][1] / LIMIT_MS, 2), "worst": worst, "tabs": shown}), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
