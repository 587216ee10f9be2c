"""The gaps of the streams, by symbol: from when to when, and who told what was missed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from engine.domain.shown_times import clock
from engine.streams.messages import Gap

KEPT = 500
SHOWN = 20


class GapMemory:
    """The newest gaps; `count` and `trades` are of all."""

    def __init__(self) -> None:
        self.count = self.trades = 0
        self._newest: deque[Gap] = deque(maxlen=KEPT)

    def take(self, gaps: Iterable[Gap]) -> None:
        for gap in gaps:
            self.count += 1
            self.trades += gap.trades
            self._newest.append(gap)

    def lines(self) -> list[str]:
        """The newest first."""
        return [one_line(gap) for gap in list(self._newest)[: -SHOWN - 1 : -1]]


def told(gaps: Sequence[Gap]) -> str:
    """Several that were filled together, as a person wants to hear it once."""
    if len(gaps) == 1:
        return one_line(gaps[0])
    trades, partial = sum(gap.trades for gap in gaps), [gap.symbol for gap in gaps if not gap.whole]
    span = f"{clock(min(gap.start for gap in gaps))} to {clock(max(gap.end for gap in gaps))}"
    rest = f"; of {', '.join(partial)} the minutes only" if partial else ""
    return f"{len(gaps)} symbols missed trades from {span}; {trades:,} were read by {gaps[0].source}{rest}"


def one_line(gap: Gap) -> str:
    partly = "" if gap.whole else ", and of its beginning the minutes only"
    return (
        f"{gap.symbol} {clock(gap.start)} to {clock(gap.end)}: {gap.trades:,} missed trades "
        f"and {gap.minutes:,} minutes read by {gap.source}{partly}"
    )
