"""Garbage with Qt's timers in it, made while threads allocate: nobody but the window's thread may collect it."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import gc, os, sys, threading
from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication
from console.collector import Collector

app = QApplication([])
if "guarded" in sys.argv:
    Collector(app)
gc.set_threshold(50, 5, 5)
here = threading.get_ident()

class Panel(QObject):
    def __init__(self):
        super().__init__()
        self.timer = QTimer(self)
        self.timer.timeout.connect(self.tick)
        self.timer.start(1)
        self.circle = self
        self.witness = Witness()
        self.witness.circle = self.witness
    def tick(self):
        pass

class Witness:
    def __del__(self):
        dropped.append(threading.get_ident())

dropped = []
done = threading.Event()
def allocate():
    while not done.is_set():
        [[] for _ in range(1_000)]

thread = threading.Thread(target=allocate)
thread.start()
for _ in range(60):
    Panel()
    app.processEvents()
watch = QTimer()
watch.timeout.connect(lambda: app.quit() if len(dropped) > 30 else None)
watch.start(50)
QTimer.singleShot(20_000, app.quit)
app.exec()
done.set()
thread.join()
print(len(dropped), sum(ident != here for ident in dropped), flush=True)
os._exit(0)
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, timeout=60)


def test_no_thread_but_the_windows_destroys_qt_objects() -> None:
    done = run("guarded")
    assert done.returncode == 0, done.stderr
    dropped, elsewhere = (int(word) for word in done.stdout.split())
    assert dropped > 30, "the garbage must have been collected at all"
    assert elsewhere == 0


def test_without_the_guard_threads_do_destroy_them() -> None:
    """So that the test above cannot pass for want of garbage in threads."""
    done = run()
    if done.returncode == 0:
        assert int(done.stdout.split()[1]) > 0
    else:
        assert done.returncode < 0, "killed by a signal, as the window would be"
