"""Bars on request: from the venue for what is past, joined with our own candles for what is now."""

from __future__ import annotations

from collections.abc import Mapping

from engine.domain.errors import PaddockError
from engine.domain.market import Bar, Timeframe, is_crypto
from engine.market.candles import Candles
from engine.market.rest import MarketRest
from engine.streams.messages import HistoryReply, HistoryRequest

MOST = 5_000
WEEKEND = 4 * 86_400 * 1_000_000_000
STOCK_STRETCH = 5
"""Calendar time for one unit of trading time: 6.5 hours of 24, five days of seven."""


class History:
    def __init__(self, rest: MarketRest, candles: Mapping[str, Candles]) -> None:
        self._rest = rest
        self._candles = candles

    async def answer(self, request: HistoryRequest, now: int) -> HistoryReply:
        """`now` is the venue's time. Never raises: the reply says what went wrong."""
        try:
            bars, error = await self._bars(request, now), ""
        except PaddockError as problem:
            bars, error = [], problem.message
        return HistoryReply(
            request_id=request.request_id, symbol=request.symbol, timeframe=request.timeframe, bars=bars, error=error
        )

    async def _bars(self, request: HistoryRequest, now: int) -> list[Bar]:
        limit = min(max(request.limit, 1), MOST)
        own = self._candles.get(request.symbol)
        if request.timeframe is Timeframe.SECOND_1:
            return list(own.seconds.bars.values())[-limit:] if own is not None else []
        stretch = 1 if is_crypto(request.symbol) else STOCK_STRETCH
        start = now - limit * request.timeframe.nanoseconds * stretch - WEEKEND
        found = await self._rest.newest_bars(request.symbol, request.timeframe, start, limit, now)
        joined = {bar.timestamp: bar for bar in found}
        if own is not None:
            joined.update(_own(own, request.timeframe, found))
        return [joined[timestamp] for timestamp in sorted(joined)][-limit:]


def _own(own: Candles, timeframe: Timeframe, found: list[Bar]) -> dict[int, Bar]:
    """Ours from the venue's last bar on: that one may have grown since it was read."""
    newest = found[-1].timestamp if found else 0
    if timeframe is Timeframe.MINUTE_1:
        return {start: bar for start, bar in own.minutes.bars.items() if start >= newest}
    current = own.current(timeframe)
    return {current.timestamp: current} if current is not None and current.timestamp >= newest else {}
