"""Which faults a seed brings, how often each strikes, and how often it did."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    UNREACHABLE = "unreachable"
    """The connection is refused: the request was certainly not made."""
    LOST_REQUEST = "lost request"
    """It never arrives, and the client learns nothing."""
    LATE_REQUEST = "late request"
    """The client gives up; the request arrives afterwards."""
    LOST_ANSWER = "lost answer"
    """Carried out, and the answer never comes."""
    TOO_MANY = "429"
    FAILED_BEFORE = "500 before the fact"
    FAILED_AFTER = "500 after the fact"
    GATEWAY = "504 after the fact"
    GARBLED = "unreadable answer"
    SLOW = "slow answer"
    READ_LAG = "read lag"
    """Reads show the venue as it was some seconds ago."""
    LOST_UPDATE = "lost update"
    DOUBLE_UPDATE = "repeated update"
    LATE_UPDATE = "late update"
    """It comes after others that followed it."""
    DISCONNECT = "stream disconnected"
    MUTE = "stream mute"
    """Open, and silent."""
    CLOCK = "clock set"
    KILL = "killed"
    """At any moment, with what was not yet on the disk lost."""
    KILL_AT_WRITE = "killed at a write"
    """Between one durable write and what comes after it."""
    DISK_FULL = "disk full"


REQUEST = (
    Fault.UNREACHABLE, Fault.LOST_REQUEST, Fault.LATE_REQUEST, Fault.LOST_ANSWER, Fault.TOO_MANY, Fault.FAILED_BEFORE,
    Fault.FAILED_AFTER, Fault.GATEWAY, Fault.GARBLED, Fault.SLOW,
)  # fmt: skip
UPDATE = (Fault.LOST_UPDATE, Fault.DOUBLE_UPDATE, Fault.LATE_UPDATE)


_SELDOM = {Fault.KILL_AT_WRITE: 0.15, Fault.DISK_FULL: 0.3}
"""Faults that would leave little of the day else."""


class FaultPlan:
    """About one fault class in three is in a seed's day; `calm` ends them all."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.rates = {
            fault: random.uniform(0.03, 0.3) * _SELDOM.get(fault, 1.0) for fault in Fault if random.random() < 0.3
        }
        self.fired: Counter[Fault] = Counter()
        self._calm = False

    def calm(self) -> None:
        self._calm = True

    def has(self, fault: Fault) -> bool:
        """Whether it can strike at all."""
        return not self._calm and fault in self.rates

    def strikes(self, fault: Fault) -> bool:
        if not self.has(fault) or self._random.random() >= self.rates[fault]:
            return False
        self.fired[fault] += 1
        return True

    def of(self, faults: tuple[Fault, ...]) -> Fault | None:
        """The fault that this event meets; at most one."""
        return None if self._calm else next(filter(self.strikes, faults), None)
