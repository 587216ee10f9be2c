"""What a feed asks of a venue besides its stream: the time, the past, what it knows. A recording answers it too."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from engine.domain.market import Bar, Timeframe, Trade
from engine.market.rest import Snapshot


class VenueData(Protocol):
    """As `market.rest.MarketRest` does it; all but `close` raise UnavailableError when the venue cannot be asked."""

    async def market_time(self) -> tuple[int, bool]: ...

    async def sessions(self, start: int, end: int) -> list[tuple[int, int]]: ...

    async def knows(self, symbol: str) -> bool: ...

    async def newest_bars(self, symbol: str, timeframe: Timeframe, start: int, limit: int, now: int) -> list[Bar]: ...

    async def bars_between(
        self, symbol: str, timeframe: Timeframe, start: int, end: int, told: Callable[[int], None] = ...
    ) -> list[Bar]: ...

    async def newest_trades(self, symbol: str, start: int, limit: int) -> list[Trade]: ...

    async def snapshots(self, symbols: Iterable[str]) -> dict[str, Snapshot]: ...

    async def close(self) -> None: ...
