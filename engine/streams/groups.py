"""Deals the embedded hub's messages out to groups of readers, and again what a dead reader did not acknowledge.

Pure: sockets and time are the hub worker's. A reader that is not heard of for `DEAD_AFTER` is dead.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable

import msgspec

DEAD_AFTER = 2.0
"""Seconds."""
FORGET_AFTER = 60.0
"""Seconds without any reader after which a group and what waits for it are forgotten."""
CREDIT = 1_000
"""Messages that one reader may have unacknowledged."""
MOST_WAITING = 50_000


class Work(msgspec.Struct, frozen=True):
    number: int
    data: bytes
    """Topic and frame as they came."""


class _Member:
    def __init__(self) -> None:
        self.heard = 0.0
        self.open: OrderedDict[int, Work] = OrderedDict()


class Group:
    def __init__(self, topics: tuple[bytes, ...]) -> None:
        self.topics = topics
        self.waiting: deque[Work] = deque()
        self.members: dict[bytes, _Member] = {}
        self.heard = 0.0

    def deal(self) -> list[tuple[bytes, Work]]:
        dealt = []
        while self.waiting and self.members:
            name, member = min(self.members.items(), key=lambda item: len(item[1].open))
            if len(member.open) >= CREDIT:
                break
            work = self.waiting.popleft()
            member.open[work.number] = work
            dealt.append((name, work))
        return dealt

    def remove(self, name: bytes) -> None:
        """What it left open goes first to the others, in its order."""
        member = self.members.pop(name, None)
        if member is not None:
            self.waiting.extendleft(reversed(member.open.values()))


class Groups:
    def __init__(self) -> None:
        self.dropped = 0
        self._groups: dict[bytes, Group] = {}
        self._of: dict[bytes, Group] = {}
        """The group of each reader, by the name its socket has at the hub."""
        self._numbers = 0

    def join(self, name: bytes, group: bytes, topics: tuple[bytes, ...], now: float) -> bool:
        """Also a sign of life. True when the group is new, so that its topics must be subscribed to."""
        is_new = group not in self._groups
        joined = self._groups.setdefault(group, Group(topics))
        joined.members.setdefault(name, _Member()).heard = now
        joined.heard = now
        self._of[name] = joined
        return is_new

    def leave(self, name: bytes) -> None:
        group = self._of.pop(name, None)
        if group is not None:
            group.remove(name)

    def ack(self, name: bytes, numbers: Iterable[int]) -> None:
        group = self._of.get(name)
        member = group.members.get(name) if group is not None else None
        if member is not None:
            for number in numbers:
                member.open.pop(number, None)

    def offer(self, data: bytes) -> None:
        for group in self._groups.values():
            if data.startswith(group.topics):
                self._numbers += 1
                group.waiting.append(Work(self._numbers, data))
                if len(group.waiting) > MOST_WAITING:
                    group.waiting.popleft()
                    self.dropped += 1

    def expire(self, now: float) -> list[bytes]:
        """Give up readers and groups not heard of; the topics that nobody needs any more on their account."""
        dead = [
            name for name, group in self._of.items() if now - group.members[name].heard > DEAD_AFTER
        ]  # fmt: skip
        for name in dead:
            self.leave(name)
        over = [name for name, group in self._groups.items() if not group.members and now - group.heard > FORGET_AFTER]
        return [topic for name in over for topic in self._groups.pop(name).topics]

    def deal(self) -> list[tuple[bytes, Work]]:
        return [item for group in self._groups.values() for item in group.deal()]

    def __bool__(self) -> bool:
        return bool(self._groups)
