"""What can be shown here of other systems: everything imports without what only Unix has; no parent-death signal is needed."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil

IMPORT_AS_ON_WINDOWS = """
import asyncio, ctypes, importlib, logging.handlers, multiprocessing, os, pkgutil, select, signal, subprocess, sys, types
import msgspec, psutil, pydantic_settings
from ctypes import wintypes
import engine.processes
for name in ("SIGKILL", "SIGHUP", "SIGQUIT", "SIGBUS", "SIGUSR1", "SIGUSR2"):
    delattr(signal, name)
for module, name in ((select, "poll"), (os, "killpg"), (os, "getuid"), (os, "pidfd_open"), (os, "O_CLOEXEC")):
    delattr(module, name)
class Library:
    def __getattr__(self, name):
        return types.SimpleNamespace()
ctypes.WinDLL = lambda *_, **__: Library()
sys.modules.update(fcntl=None, msvcrt=types.ModuleType("msvcrt"))
sys.platform = "win32"
names = [f"engine.processes.{found.name}" for found in pkgutil.iter_modules(engine.processes.__path__)]
for name in ["engine.installation", "engine.exchange.store_schema", *names]:
    if not name.endswith("orphan_reaper"):
        importlib.import_module(name)
print(len(names))
"""
STUCK_CHILD = """
import asyncio, os, time
from engine.processes.lifeline import watch_stdin
async def main():
    watch_stdin(asyncio.get_running_loop(), asyncio.Event())
    print(os.getpid(), flush=True)
    time.sleep(100)
asyncio.run(main())
"""
PARENT = f"""
import os, subprocess, sys
from engine.processes.lifeline import MARK, mark
child = subprocess.Popen([sys.executable, "-c", {STUCK_CHILD!r}], stdin=subprocess.PIPE, env={{**os.environ, MARK: mark()}})
child.wait()
"""
ORPHANS_LAST = 3.0


def test_every_module_imports_where_there_is_no_unix() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_AS_ON_WINDOWS], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


def test_where_there_is_no_parent_death_signal_a_stuck_child_sees_that_its_parent_is_gone() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert psutil.wait_procs([child], timeout=ORPHANS_LAST)[1] == []
