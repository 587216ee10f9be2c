"""What every child process has: its settings, a way to speak to its parent, and the news that it should stop.

The first line on stdin is one JSON object with the settings, secrets included, so that nothing secret is in an argument
or the environment. After it, the end of stdin means that the parent is gone or wants the child to stop. Speech is one
JSON object a line on stdout with a `type`: ready, heartbeat, log, or whatever `report` is given.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import msgspec

from engine import event_loop
from engine.clock import Clock, SystemClock
from engine.domain.errors import ConfigurationError, PaddockError
from engine.processes.lifeline import die_with_parent, watch_stdin

S = TypeVar("S", bound=msgspec.Struct)

HEARTBEAT = 1.0
"""Seconds between heartbeats."""
DISPENSABLE = frozenset({"heartbeat", "log"})
MAX_TEXT = 2_000
"""Characters of a log text or traceback: a line that fits a pipe's 4 KiB never blocks the writer half-way."""


class Speech:
    """Writes JSON lines to the parent. A parent that no longer reads is no reason to fail, nor to wait.

    Heartbeats and log lines are dropped, and counted, while the pipe is full; what the parent waits for is not.
    """

    def __init__(self, descriptor: int) -> None:
        self.dropped = 0
        self._descriptor = descriptor
        self._is_full = _full_pipe(descriptor)
        self._lock = threading.Lock()
        self._encoder = msgspec.json.Encoder()

    def say(self, kind: str, fields: dict[str, Any]) -> None:
        line = self._encoder.encode({"type": kind, **fields}) + b"\n"
        with self._lock:
            if kind in DISPENSABLE and self._is_full():
                self.dropped += 1
                return
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except OSError:
                return


def _full_pipe(descriptor: int) -> Callable[[], bool]:
    """Whether a writer would have to wait; Windows does not say."""
    if sys.platform == "win32":
        return lambda: False
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return lambda: not poll.poll(0)


class Child(Generic[S]):
    """The runtime given to a worker's `main`."""

    def __init__(self, name: str, settings: S, clock: Clock, speech: Speech) -> None:
        self.name = name
        self.settings = settings
        self.clock = clock
        self.stopping = asyncio.Event()
        self._speech = speech
        self._progress = 0
        self._produced: int | None = None
        self._detail = ""
        self._expects = 0.0

    def ready(self, detail: str = "") -> None:
        """Say, once, that the work has begun. `detail` may be an address or the like."""
        self._detail = detail or self._detail
        self._speech.say("ready", {"detail": self._detail})

    def progress(self, units: int = 1) -> None:
        """Count work done; a child that lives but does nothing is found out by this."""
        self._progress += units

    def produced(self, units: int) -> None:
        """Count what came of the work, such as candles of messages. Once called, only this is the progress that
        `expect_progress` asks for: much work of which nothing comes is a hang, too.
        """
        self._produced = (self._produced or 0) + units

    def expect_progress(self, within: float) -> None:
        """From now on progress must come at least every `within` seconds, or the supervisor takes this child for hung
        and replaces it; 0 while there is nothing to do, such as when the market is closed.
        """
        self._expects = within

    def detail(self, text: str) -> None:
        self._detail = text

    def report(self, kind: str, **fields: Any) -> None:
        self._speech.say(kind, fields)

    def beat(self) -> None:
        fields = {
            "progress": self._progress,
            "produced": self._produced,
            "expects": self._expects,
            "detail": self._detail,
            "dropped": self._speech.dropped,
        }
        self._speech.say("heartbeat", fields)


class _LogLines(logging.Handler):
    def __init__(self, speech: Speech) -> None:
        super().__init__(logging.INFO)
        self._speech = speech

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._speech.say("log", _fields(record))
        except Exception:
            # A log call with a wrong format must not fail the work around it; the traceback goes to stderr.
            self.handleError(record)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "level": record.levelname.lower(),
        "logger": record.name,
        "text": record.getMessage()[:MAX_TEXT],
        "timestamp": int(record.created * 1e9),
    }
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        fields["traceback"] = "".join(traceback.format_exception(error))[-MAX_TEXT:]
    for source in (error, record):
        for extra in ("remedy", "category"):
            value = getattr(source, extra, "")
            if value and extra not in fields:
                fields[extra] = str(value)
    return fields


def run_child(name: str, settings_type: type[S], main: Callable[[Child[S]], Awaitable[None]]) -> int:
    """Run a worker to its end; returns the exit code (0, or as in `engine.domain.errors`, or 1)."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the parent's to handle
    _tell_stacks()
    speech = Speech(os.dup(1))
    # What a library prints goes the way of stderr, where a flood of it does not hold up the heartbeats.
    os.dup2(2, 1)
    handler = _LogLines(speech)
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    log = logging.getLogger(name)
    try:
        line = sys.stdin.buffer.readline()
        settings = _settings(line, settings_type)
        event_loop.run(_live(Child(name, settings, SystemClock(), speech), main))
    except PaddockError as error:
        log.log(logging.ERROR, "%s", error.message, extra={"remedy": error.remedy, "category": error.category})
        return error.exit_code
    except Exception:
        log.exception("%s ended by an error nobody expected", name)
        return 1
    return 0


def _settings(line: bytes, settings_type: type[S]) -> S:
    try:
        return msgspec.json.decode(line, type=settings_type)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ConfigurationError(
            f"The settings on stdin cannot be used: {error}",
            "A worker is started by the console; by hand, give it one line of JSON on stdin.",
        ) from None


async def _live(child: Child[S], main: Callable[[Child[S]], Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()
    if sys.platform != "win32":
        loop.add_signal_handler(signal.SIGTERM, child.stopping.set)
    watch_stdin(loop, child.stopping)
    heart = asyncio.create_task(_beat(child))
    try:
        await main(child)
    finally:
        heart.cancel()
        await asyncio.gather(heart, return_exceptions=True)


async def _beat(child: Child[S]) -> None:
    while True:
        child.beat()
        await asyncio.sleep(HEARTBEAT)


def _tell_stacks() -> None:
    """A crash, and SIGUSR1 from a parent that finds us hung, print every thread's stack on stderr."""
    faulthandler.enable()
    if sys.platform != "win32":
        faulthandler.register(signal.SIGUSR1, all_threads=True)
