"""The feed's own account of itself, once a second."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence

from engine.clock import Clock
from engine.market.line import Line
from engine.market.processor import Processor
from engine.market.sources.watchdog import ChannelState, worst
from engine.streams.messages import FeedStatus

TOO_LATE = "too late for the candles that are kept"


class Rate:
    """Messages a second since the last question."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._from = (clock.monotonic(), 0)

    def of(self, count: int) -> float:
        now = self._clock.monotonic()
        since, before = self._from
        self._from = (now, count)
        return (count - before) / max(now - since, 0.001)


def status_of(
    name: str,
    source: str,
    lines: Sequence[Line],
    processor: Processor,
    rate: Rate,
    filled: int,
    unknown: Iterable[str],
) -> FeedStatus:
    last = max((line.last_at for line in lines), default=-1.0)
    return FeedStatus(
        feed=name,
        source=source,
        connected=bool(lines) and all(line.connected for line in lines),
        age=-1.0 if last < 0 else asyncio.get_running_loop().time() - last,
        messages=processor.messages,
        message_rate=rate.of(processor.messages),
        reconnects=sum(line.reconnects for line in lines),
        rejected=processor.normaliser.rejections.total,
        symbols=sorted(processor.candles),
        unknown_symbols=sorted(unknown),
        not_sent=sorted(symbol for line in lines for symbol in line.refused),
        error="; ".join(line.error for line in lines if line.error),
        channels=_channels(lines),
        fallback=", ".join(line.fallback for line in lines if line.fallback),
        conflated=sum(line.conflated for line in lines),
        shed=dict(sum((line.shed for line in lines), Counter[str]())),
        refused=_refused(processor),
        filled=filled,
    )


def _refused(processor: Processor) -> dict[str, int]:
    found = {reason.value: count for reason, count in processor.normaliser.rejections.counts.items() if count}
    if late := sum(candles.seconds.too_old for candles in processor.candles.values()):
        found[TOO_LATE] = late
    return found


def _channels(lines: Sequence[Line]) -> dict[str, str]:
    """The worst of stocks and crypto, by channel."""
    names = lines[0].channels if lines else ()
    return {name: worst(ChannelState(line.channels[name]) for line in lines).value for name in names}
