"""Many days, spread over processes; of each only what it counts is kept, so that a hundred thousand fit."""

from __future__ import annotations

import gc
import logging
import multiprocessing
from collections import Counter
from collections.abc import Iterator

from tests.faults.day import Result, live
from tests.faults.plan import Fault

CHUNK = 20
"""Days that a worker is given at a time, and after which it looks for garbage."""


class Tally:
    def __init__(self) -> None:
        self.days = 0
        self.wrong = 0
        self._counts: Counter[str] = Counter()
        self._struck: Counter[str] = Counter()
        self._done: Counter[str] = Counter()

    def add(self, result: Result) -> None:
        self.days += 1
        self.wrong += bool(result.problems)
        self._counts.update(orders=result.orders, fills=result.fills, lives=result.lives)
        self._struck.update(result.fired.keys())
        self._done.update(result.deeds.keys())

    def summary(self) -> dict[str, object]:
        return {
            "days": self.days,
            "wrong": self.wrong,
            **self._counts,
            "share of days in which it struck": {fault.value: self._share(self._struck[fault]) for fault in Fault},
            "share of days in which it was done": {deed: self._share(days) for deed, days in self._done.items()},
        }

    def _share(self, days: int) -> float:
        return round(days / max(self.days, 1), 3)


def live_many(seeds: range, workers: int) -> Iterator[Result]:
    """In order of the seeds."""
    begin_worker()
    if workers == 1:
        yield from map(_live, seeds)
        return
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        yield from pool.imap(_live, seeds, chunksize=CHUNK)


def begin_worker() -> None:
    """What was imported is not looked through for garbage again and again."""
    logging.disable(logging.CRITICAL)
    gc.collect()
    gc.freeze()
    gc.disable()


def _live(seed: int) -> Result:
    if seed % CHUNK == 0:
        gc.collect()
    return live(seed)
