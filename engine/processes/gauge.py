"""What one process uses: its row's figures, their history, and whether it has come to a limit."""

from __future__ import annotations

from collections import deque

from engine.processes.history import SampleHistory
from engine.processes.limits import CPU_SECONDS, WARN_AT, used
from engine.processes.sampling import Sample
from engine.processes.specification import ProcessSpec
from engine.views import ProcessRow, ProcessSample


class Gauge:
    def __init__(self, spec: ProcessSpec, row: ProcessRow) -> None:
        self.history = SampleHistory()
        self._spec = spec
        self._row = row
        self._life: deque[Sample] = deque(maxlen=CPU_SECONDS)

    def born(self) -> None:
        """A new life: what the one before used does not count against it."""
        self._life.clear()
        self._row.warning = ""

    def gone(self) -> None:
        row = self._row
        row.cpu_percent, row.progress_rate, row.context_switches = 0.0, 0.0, 0.0
        row.rss_bytes, row.threads, row.open_files = 0, 0, 0
        row.warning = ""

    def take(self, sample: Sample, at: float) -> str:
        """Keep a sample of `at` monotonic seconds; returns the limit that it has reached, in words, or nothing."""
        row = self._row
        row.cpu_percent, row.rss_bytes, row.threads = sample.cpu_percent, sample.rss_bytes, sample.threads
        row.open_files, row.context_switches = sample.open_files, sample.context_switches
        self.history.add(ProcessSample(at, sample.cpu_percent, sample.rss_bytes, row.progress_rate))
        self._life.append(sample)
        share, words = max(used(self._spec, list(self._life)), default=(0.0, ""))
        row.warning = words if share >= WARN_AT else ""
        return words if share >= 1 else ""
