"""One operating-system process and its pipes: spawn it, read its lines, end it with its whole group."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import IO

import msgspec

from engine.processes.lifeline import new_life
from engine.processes.spawning import KILL, signal_group, spawn, tell_end

MAX_LINE = 64 * 1024
"""Longer lines are cut, because a child gone wrong may never send a newline."""
CHUNK = 256 * 1024
FLOOD = 500
"""Lines in one read beyond which only those in our own JSON are looked at: the loop has a window to paint."""
BREATHER = 0.005
"""Seconds between two reads of a flood; it bounds it to about 25 MB/s."""
_BEGINNING = b'{"type":'
_OURS = re.compile(rb"^" + re.escape(_BEGINNING) + rb".*$", re.MULTILINE)
DRAIN_WAIT = 0.5
"""Seconds to read what is left in the pipe of a process that has ended."""
REAP_WAIT = 5.0


class Channel:
    """A running child. `on_line` gets each line of stdout and stderr, without its newline, `on_skipped` the number of
    lines of a flood that nobody looked at.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], on_line: Callable[[bytes], None], on_skipped: Callable[[int], None]
    ) -> None:
        self._process = process
        self._ended = asyncio.Event()
        self._on_line = on_line
        self._on_skipped = on_skipped
        self._input_ended = False
        self._input: asyncio.WriteTransport | None = None
        self.exited: asyncio.Task[int]

    @classmethod
    def spawn(
        cls,
        arguments: Sequence[str],
        settings: object,
        on_line: Callable[[bytes], None],
        on_skipped: Callable[[int], None] = lambda count: None,
    ) -> Channel:
        """The child runs when this returns, and its `pid` is known. Raises UnavailableError."""
        line = msgspec.json.encode(settings) + b"\n"
        life = new_life()
        channel = cls(spawn(arguments, life), on_line, on_skipped)
        tell_end(channel._process, life, channel._ended)
        channel.exited = asyncio.create_task(channel._run(line), name=f"child-{channel.pid}")
        return channel

    @property
    def pid(self) -> int:
        return self._process.pid

    def end_input(self) -> None:
        """Close stdin: the polite way to ask for the end."""
        self._input_ended = True
        if self._input is not None:
            self._input.close()

    def send(self, number: signal.Signals) -> None:
        """To the child and everything it started."""
        signal_group(self._process, number)

    async def dump_stacks(self, wait: float) -> None:
        """Ask a hung worker for the stacks of its threads, which come as lines of its log."""
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(self._process.pid, signal.SIGUSR1)
        await self._gone(wait)

    async def end(self, wait: float, on_kill: Callable[[], None] | None = None, starting: bool = False) -> bool:
        """End of stdin, SIGTERM after half of `wait` seconds, SIGKILL after all; False when it would not go.

        One that is `starting` gets SIGTERM at once: while it imports it hears nothing, and has nothing to finish.
        """
        self.end_input()
        if starting:
            self.send(signal.SIGTERM)
        if await self._gone(wait / 2):
            return True
        self.send(signal.SIGTERM)
        if await self._gone(wait / 2):
            return True
        if on_kill is not None:
            on_kill()
        return await self.kill()

    async def kill(self) -> bool:
        self.send(KILL)
        return await self._gone(REAP_WAIT)

    async def _gone(self, timeout: float) -> bool:
        done, _ = await asyncio.wait({self.exited}, timeout=timeout)
        return bool(done)

    async def _run(self, settings: bytes) -> int:
        readers = [asyncio.create_task(self._read(pipe)) for pipe in (self._process.stdout, self._process.stderr)]
        try:
            await self._speak(settings)
            await self._ended.wait()
            await asyncio.wait(readers, timeout=DRAIN_WAIT)
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
            self._drop_input()
        return self._process.returncode

    async def _speak(self, settings: bytes) -> None:
        loop = asyncio.get_running_loop()
        self._input, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, self._process.stdin)
        self._input.write(settings)
        if self._input_ended:
            self._input.close()

    def _drop_input(self) -> None:
        """Something may still hold its other end. One that has nothing to write and is closing is about to be closed by
        asyncio, which fails when it is told to a second time.
        """
        pipe = self._input
        if pipe is not None and not (pipe.is_closing() and not pipe.get_write_buffer_size()):
            pipe.abort()

    async def _read(self, pipe: IO[bytes] | None) -> None:
        loop = asyncio.get_running_loop()
        stream = asyncio.StreamReader(CHUNK)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), pipe)
        try:
            await self._hear_all(stream)
        finally:
            transport.close()

    async def _hear_all(self, stream: asyncio.StreamReader) -> None:
        rest = b""
        cut = False
        while chunk := await stream.read(CHUNK):
            whole, newline, rest = (rest + chunk).rpartition(b"\n")
            if newline:
                if cut:
                    _, newline, whole = whole.partition(b"\n")
                cut = False
                if newline:
                    await self._hear(whole)
            if len(rest) > MAX_LINE:
                if not cut:
                    self._on_line(rest[:MAX_LINE])
                rest, cut = b"", True
        if rest and not cut:
            self._on_line(rest)

    async def _hear(self, whole: bytes) -> None:
        count = whole.count(b"\n") + 1
        lines = whole.split(b"\n") if count <= FLOOD else _ours(whole)[:FLOOD]
        if count > len(lines):
            self._on_skipped(count - len(lines))
        for line in lines:
            self._on_line(line[:MAX_LINE])
        if count > FLOOD:
            await asyncio.sleep(BREATHER)


def _ours(whole: bytes) -> list[bytes]:
    """The lines of a flood that may be our own JSON; most floods have none, which is found out much faster."""
    return _OURS.findall(whole) if _BEGINNING in whole else []
