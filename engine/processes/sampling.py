"""CPU, memory, threads, open files and context switches of many processes, read together once a second."""

from __future__ import annotations

import time
from collections.abc import Iterable

import msgspec
import psutil


class Sample(msgspec.Struct, frozen=True):
    """`cpu_percent` is of one core, `rss_bytes` resident memory, `context_switches` a second since the last sample."""

    cpu_percent: float
    rss_bytes: int
    threads: int
    open_files: int
    context_switches: float


class _Known:
    """What must be remembered of a process between two samples."""

    def __init__(self, pid: int) -> None:
        self.process = psutil.Process(pid)
        self._switches = 0
        self._at = 0.0

    def sample(self) -> Sample | None:
        """None for a zombie. Raises psutil.Error when it is gone."""
        process = self.process
        with process.oneshot():
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            return Sample(
                cpu_percent=process.cpu_percent(),
                rss_bytes=process.memory_info().rss,
                threads=process.num_threads(),
                open_files=process.num_handles() if psutil.WINDOWS else process.num_fds(),
                context_switches=self._switching(sum(process.num_ctx_switches())),
            )

    def _switching(self, total: int) -> float:
        now = time.perf_counter()
        elapsed = now - self._at
        rate = (total - self._switches) / elapsed if self._at else 0.0
        self._switches, self._at = total, now
        return rate


class Sampler:
    """Remembers each process between samples, because rates are differences. One thread at a time."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}

    def sample(self, pids: Iterable[int]) -> dict[int, Sample]:
        """Those that still run; a zombie does not."""
        wanted = set(pids)
        self._known = {pid: known for pid, known in self._known.items() if pid in wanted and known.process.is_running()}
        found: dict[int, Sample] = {}
        for pid in wanted:
            try:
                sample = (self._known.get(pid) or self._known.setdefault(pid, _Known(pid))).sample()
            except psutil.Error:
                self._known.pop(pid, None)
                continue
            if sample is not None:
                found[pid] = sample
        return found
