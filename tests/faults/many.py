"""Many days, spread over processes; of each only what it counts is kept, so that a hundred thousand fit."""

from __future__ import annotations

import gc
import logging
import multiprocessing
from collections.abc import Iterator

from tests.faults.day import Result, live

CHUNK = 20
"""Days that a worker is given at a time, and after which it looks for garbage."""


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
