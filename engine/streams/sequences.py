"""Which messages came, which are missing and which came twice, by the numbers that senders give them."""

from __future__ import annotations

from collections import OrderedDict

from engine.streams.envelope import Envelope

MOST_SENDERS = 4_096
MOST_MISSING = 10_000
REMEMBERED = 10_000
"""Numbers of one sender that a reader in a group remembers."""


class _Run:
    """What came of one sender, run and topic."""

    __slots__ = ("last", "missing")

    def __init__(self, last: int) -> None:
        self.last = last
        self.missing: OrderedDict[int, None] = OrderedDict()


class Sequences:
    """For a reader of everything: a message that comes late, over another way, is let in once and is no gap any more."""

    def __init__(self) -> None:
        self.gaps = 0
        self.duplicates = 0
        self._runs: OrderedDict[tuple[str, str, int], _Run] = OrderedDict()

    def accept(self, topic: str, envelope: Envelope) -> bool:
        key = (topic, envelope.sender, envelope.run)
        run = self._runs.get(key)
        if run is None:
            run = self._runs[key] = _Run(envelope.sequence - 1)
            if len(self._runs) > MOST_SENDERS:
                self._runs.popitem(last=False)
        sequence, expected = envelope.sequence, run.last + 1
        if sequence == expected:
            run.last = sequence
            return True
        if sequence > expected:
            self._miss(run, expected, sequence)
            return True
        return self._late(run, sequence)

    def _miss(self, run: _Run, first: int, end: int) -> None:
        self.gaps += end - first
        run.last = end
        run.missing.update(dict.fromkeys(range(max(first, end - MOST_MISSING), end)))
        while len(run.missing) > MOST_MISSING:
            run.missing.popitem(last=False)

    def _late(self, run: _Run, sequence: int) -> bool:
        if sequence in run.missing:
            del run.missing[sequence]
            self.gaps -= 1
            return True
        self.duplicates += 1
        return False


class SharedSequences:
    """For a reader in a group, which sees only its share: no gaps, but what it took already it does not take again."""

    def __init__(self) -> None:
        self.gaps = 0
        self.duplicates = 0
        self._seen: OrderedDict[tuple[str, str, int, int], None] = OrderedDict()

    def accept(self, topic: str, envelope: Envelope) -> bool:
        key = (topic, envelope.sender, envelope.run, envelope.sequence)
        if key in self._seen:
            self.duplicates += 1
            return False
        self._seen[key] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return True
