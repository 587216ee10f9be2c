"""Bars on request: closed ones from the history of bars, joined with our own candles for what is now."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from engine.domain.errors import PaddockError, UnavailableError
from engine.domain.market import Bar, Timeframe, is_crypto
from engine.market.candles import Candles
from engine.market.history.ranges import BarHistory, BarsFound
from engine.streams.messages import HistoryReply, HistoryRequest

MOST = 5_000
WEEKEND = 4 * 86_400 * 1_000_000_000
STOCK_STRETCH = 5
"""Calendar time for one unit of trading time: 6.5 hours of 24, five days of seven."""
FIRST_LOOK = 600 * 1_000_000_000
"""Looked back at first beyond the time that the bars themselves take."""
STEP = 3
"""How many times further each next look goes."""


class History:
    def __init__(
        self, past: BarHistory, candles: Mapping[str, Candles], market_time: Callable[[], Awaitable[int]]
    ) -> None:
        """`market_time` tells the venue's time in int nanoseconds UTC, or raises PaddockError."""
        self._past = past
        self._candles = candles
        self._market_time = market_time

    async def answer(self, request: HistoryRequest) -> HistoryReply:
        """Never raises: the reply says what went wrong."""
        try:
            bars, error = await self._bars(request), ""
        except PaddockError as problem:
            bars, error = [], problem.message
        return HistoryReply(
            request_id=request.request_id, symbol=request.symbol, timeframe=request.timeframe, bars=bars, error=error
        )

    async def _bars(self, request: HistoryRequest) -> list[Bar]:
        limit = min(max(request.limit, 1), MOST)
        own = self._candles.get(request.symbol)
        if request.timeframe is Timeframe.SECOND_1:
            return list(own.seconds.bars.values())[-limit:] if own is not None else []
        found = await self.newest_closed(request.symbol, request.timeframe, limit)
        joined = {bar.timestamp: bar for bar in found}
        if own is not None:
            joined.update(_own(own, request.timeframe, found))
        return [joined[timestamp] for timestamp in sorted(joined)][-limit:]

    async def newest_closed(self, symbol: str, timeframe: Timeframe, limit: int) -> list[Bar]:
        """The newest `limit` that have ended by the venue's time, oldest first; fewer where there are no more.

        Looks back further step by step, because nights, weekends and quiet minutes have no bars. Raises
        UnavailableError when a part of the time cannot be read: a gap would make every average over it wrong; and
        PaddockError when the venue does not tell its time.
        """
        now = await self._market_time()
        length = timeframe.nanoseconds
        farthest = limit * length * (1 if is_crypto(symbol) else STOCK_STRETCH) + WEEKEND
        reach = min(limit * length + FIRST_LOOK, farthest)
        while True:
            found = await self._past.get_bars(symbol, timeframe, now - reach, now, now)
            if found.missing:
                raise _incomplete(symbol, found)
            if len(found.bars) >= limit or reach == farthest:
                return found.bars[-limit:]
            reach = min(reach * STEP, farthest)


def _incomplete(symbol: str, found: BarsFound) -> UnavailableError:
    why = f": {found.problems[-1]}" if found.problems else "."
    return UnavailableError(f"Some bars of {symbol} cannot be read{why}", "It is tried again.")


def _own(own: Candles, timeframe: Timeframe, found: list[Bar]) -> dict[int, Bar]:
    """Ours from the venue's last bar on: that one may have grown since it was read."""
    newest = found[-1].timestamp if found else 0
    if timeframe is Timeframe.MINUTE_1:
        return {start: bar for start, bar in own.minutes.bars.items() if start >= newest}
    current = own.current(timeframe)
    return {current.timestamp: current} if current is not None and current.timestamp >= newest else {}
