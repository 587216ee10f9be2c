"""Which of several workers a key belongs to: rendezvous hashing, by which a worker more or less moves only its own keys.

Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998: the worker with the highest hash of
(worker, key) has the key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence


def owner(key: str, workers: Sequence[str]) -> str:
    """The same in every process and run. Raises ValueError without workers."""
    return max(workers, key=lambda worker: (_weight(worker, key), worker))


def shares(keys: Iterable[str], workers: Sequence[str]) -> dict[str, list[str]]:
    """The keys of each worker, in their order; a worker without any has an empty list."""
    found: dict[str, list[str]] = {worker: [] for worker in workers}
    for key in keys:
        found[owner(key, workers)].append(key)
    return found


def _weight(worker: str, key: str) -> bytes:
    return hashlib.blake2b(f"{worker}\0{key}".encode(), digest_size=8).digest()
