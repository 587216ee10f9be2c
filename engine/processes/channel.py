"""One operating-system process and its pipes: spawn it, read its lines, end it with its whole group."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Callable, Sequence

import msgspec

from engine.domain.errors import UnavailableError
from engine.processes.lifeline import MARK, mark

MAX_LINE = 64 * 1024
"""Longer lines are cut, because a child gone wrong may never send a newline."""
CHUNK = 256 * 1024
FLOOD = 500
"""Lines in one read beyond which only those in our own JSON are looked at: the loop has a window to paint."""
BREATHER = 0.005
"""Seconds between two reads of a flood; it bounds it to about 25 MB/s."""
_OURS = re.compile(rb'^\{"type":.*$', re.MULTILINE)
DRAIN_WAIT = 0.5
"""Seconds to read what is left in the pipe of a process that has ended."""
REAP_WAIT = 5.0


class _Pipes(asyncio.subprocess.SubprocessStreamProtocol):
    """Tells when the process has ended; `Process.wait` waits for the end of its pipes, too, and those a grandchild may
    hold open for ever: https://github.com/python/cpython/issues/119710
    """

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit, loop)
        self.ended = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.ended.set()


class Channel:
    """A running child. `on_line` gets each line of stdout and stderr, without its newline, `on_skipped` the number of
    lines of a flood that nobody looked at.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        transport: asyncio.SubprocessTransport,
        ended: asyncio.Event,
        on_line: Callable[[bytes], None],
        on_skipped: Callable[[int], None],
    ) -> None:
        self._process = process
        self._transport = transport
        self._ended = ended
        self._on_line = on_line
        self._on_skipped = on_skipped
        assert process.stdout is not None and process.stderr is not None
        self._readers = {
            asyncio.create_task(self._read(pipe), name=f"pipe-{process.pid}")
            for pipe in (process.stdout, process.stderr)
        }
        self.exited: asyncio.Task[int] = asyncio.create_task(self._wait(), name=f"wait-{process.pid}")

    @classmethod
    async def spawn(
        cls,
        arguments: Sequence[str],
        settings: object,
        on_line: Callable[[bytes], None],
        on_skipped: Callable[[int], None] = lambda count: None,
    ) -> Channel:
        """Call it in a thread that lives as long as the process: on Linux a child dies with the thread that spawned it.

        Raises UnavailableError when the system cannot start it.
        """
        line = msgspec.json.encode(settings) + b"\n"
        loop = asyncio.get_running_loop()
        try:
            transport, pipes = await loop.subprocess_exec(
                lambda: _Pipes(CHUNK, loop),
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                # Of its own, so that a flood on it does not hold up the heartbeats.
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                env={**os.environ, MARK: mark()},
            )
        except OSError as error:
            raise UnavailableError(
                f"{arguments[0]} cannot be started: {error.strerror or error}.",
                "Look at the memory and process limits of this machine.",
            ) from None
        process = asyncio.subprocess.Process(transport, pipes, loop)
        assert process.stdin is not None
        process.stdin.write(line)
        return cls(process, transport, pipes.ended, on_line, on_skipped)

    @property
    def pid(self) -> int:
        return self._process.pid

    def end_input(self) -> None:
        """Close stdin: the polite way to ask for the end."""
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.close()

    def send(self, number: signal.Signals) -> None:
        """To the child and everything it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    async def dump_stacks(self, wait: float) -> None:
        """Ask a hung worker for the stacks of its threads, which come as lines of its log."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(self._process.pid, signal.SIGUSR1)
        await self._gone(wait)

    async def end(self, wait: float, on_kill: Callable[[], None] | None = None) -> bool:
        """End of stdin, SIGTERM after half of `wait` seconds, SIGKILL after all; False when it would not go."""
        self.end_input()
        if await self._gone(wait / 2):
            return True
        self.send(signal.SIGTERM)
        if await self._gone(wait / 2):
            return True
        if on_kill is not None:
            on_kill()
        return await self.kill()

    async def kill(self) -> bool:
        self.send(signal.SIGKILL)
        return await self._gone(REAP_WAIT)

    async def _gone(self, timeout: float) -> bool:
        done, _ = await asyncio.wait({self.exited}, timeout=timeout)
        return bool(done)

    async def _wait(self) -> int:
        await self._ended.wait()
        code = self._process.returncode
        assert code is not None
        # Whatever it started must not outlive it, nor keep its pipe open.
        self.send(signal.SIGKILL)
        _, late = await asyncio.wait(self._readers, timeout=DRAIN_WAIT)
        for reader in late:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        self._transport.close()
        return code

    async def _read(self, pipe: asyncio.StreamReader) -> None:
        rest = b""
        cut = False
        while chunk := await pipe.read(CHUNK):
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
        lines = whole.split(b"\n") if count <= FLOOD else _OURS.findall(whole)[:FLOOD]
        if count > len(lines):
            self._on_skipped(count - len(lines))
        for line in lines:
            self._on_line(line[:MAX_LINE])
        if count > FLOOD:
            await asyncio.sleep(BREATHER)
