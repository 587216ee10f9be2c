"""A child for the tests: behaves as its settings say."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading

import msgspec

from engine.domain.errors import ConfigurationError
from engine.processes import child as runtime
from engine.processes.child import Child, run_child

runtime.HEARTBEAT = 0.1


class Settings(msgspec.Struct, kw_only=True):
    mode: str = "well"


async def main(child: Child[Settings]) -> None:
    log = logging.getLogger("test")
    match child.settings.mode:
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "misconfigured":
            raise ConfigurationError("The colour is wrong.", "Paint it blue.")
        case "never-ready":
            await child.stopping.wait()
        case "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            child.ready()
            await asyncio.Event().wait()
        case "flood":
            child.ready()
            for _ in range(200):
                sys.stdout.write("x" * 1000 + "\n" * 50)
            sys.stdout.write("y" * 1_000_000 + "\n\x00\xff{not json}\n")
            sys.stdout.flush()
            log.warning("flooded")
        case "spew":
            child.ready()
            await asyncio.to_thread(_spew, 20_000_000)
            child.detail("spewed")
        case "chatty":
            log.info("%d is no number", "this")
            for _ in range(5_000):
                log.info("a line that nobody reads")
            return
        case "family":
            grandchild = await asyncio.create_subprocess_exec("sleep", "1000")
            child.ready(str(grandchild.pid))
        case "detached":
            grandchild = await asyncio.create_subprocess_exec("sleep", "1000", start_new_session=True)
            child.ready(str(grandchild.pid))
        case "fruitless":
            child.ready()
            child.produced(1)
            child.expect_progress(0.5)
            while not child.stopping.is_set():
                child.progress()
                await asyncio.sleep(0.1)
        case "busy":
            child.ready()
            child.expect_progress(3.0)
            while not child.stopping.is_set():
                child.progress()
                await asyncio.sleep(0.1)
        case "leak":
            hoard = b"x" * 120_000_000
            child.ready(str(len(hoard)))
            await child.stopping.wait()
            del hoard
        case "short":
            child.ready()
            return
        case "deadlock":
            child.ready()
            _lock_forever()
        case "job":
            for step in range(5):
                child.report("progress", done=step / 5)
            child.report("result", answer=42)
            return
        case "bad-job":
            raise ConfigurationError("No such file.", "Choose another.")
        case _:
            child.ready("here")
            child.progress(7)
            log.warning("hello", extra={"remedy": "greet back"})
    await child.stopping.wait()


def _spew(size: int) -> None:
    """Empty lines, the cheapest flood there is."""
    chunk = b"\n" * 65_536
    for _ in range(size // len(chunk)):
        sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _lock_forever() -> None:
    threading.Event().wait()


if __name__ == "__main__":
    sys.exit(run_child("test", Settings, main))
