"""How long to wait before a process that failed is started again, and when to give up."""

from __future__ import annotations

import random
from collections import deque

from engine.processes.specification import RestartPolicy


class Backoff:
    """Keeps the policy's count for one process. Times are monotonic seconds."""

    def __init__(self, policy: RestartPolicy, chance: random.Random) -> None:
        self._policy = policy
        self._chance = chance
        self._failures: deque[float] = deque(maxlen=policy.budget + 1)
        self._delay = policy.first

    @property
    def failures(self) -> int:
        """Unexpected ends within the window, at the last one."""
        return len(self._failures)

    @property
    def spent(self) -> bool:
        return len(self._failures) > self._policy.budget

    def left(self, now: float) -> int:
        """Unexpected ends that may still come within the window."""
        recent = sum(now - failure <= self._policy.window for failure in self._failures)
        return max(self._policy.budget - recent, 0)

    def reset(self) -> None:
        self._failures.clear()
        self._delay = self._policy.first

    def failed(self, now: float, lived: float) -> float:
        """Count an unexpected end after a life of `lived` seconds; returns the seconds to wait if it is not `spent`."""
        policy = self._policy
        if lived >= policy.healthy:
            self._delay = policy.first
        self._failures.append(now)
        while now - self._failures[0] > policy.window:
            self._failures.popleft()
        delay = self._delay * (1 + policy.jitter * (2 * self._chance.random() - 1))
        self._delay = min(self._delay * 2, policy.longest)
        return delay
