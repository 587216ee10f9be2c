"""The hours of a venue, read from it: its clock as time goes on, and the sessions in which candles are built."""

from __future__ import annotations

import logging

from engine.domain.errors import PaddockError
from engine.domain.market import NANOSECONDS, is_crypto
from engine.market.hours import DAY, Choice, Hours, NewYorkDays, RoundTheClock, SessionHours, Span, extended
from engine.market.venue import VenueData

log = logging.getLogger(__name__)

DAYS_BACK, DAYS_AHEAD = 10, 10


class TradingHours:
    """Until the sessions are known every print counts: better a candle too many than none."""

    def __init__(self, rest: VenueData, choice: Choice) -> None:
        self._rest = rest
        self._choice = choice
        self._stocks = _Chosen()
        self._crypto = RoundTheClock()
        self._told_at = -1.0

    def of(self, symbol: str) -> Hours:
        return self._crypto if is_crypto(symbol) else self._stocks

    def told_at(self, now: float) -> None:
        self._told_at = now

    def now(self, told: int, now: float) -> int:
        """The venue's time, from what it `told` and the monotonic seconds since; 0 = it told nothing."""
        return told + int((now - self._told_at) * NANOSECONDS) if self._told_at >= 0 else 0

    @property
    def wanted(self) -> bool:
        """Whether sessions matter and have not been read yet."""
        return self._choice is not Choice.ALL and not self._stocks.known

    async def read(self, now: int) -> None:
        """The sessions around the venue's `now`; when they cannot be read those known before stay."""
        if self._choice is Choice.ALL:
            return
        try:
            sessions = await self._rest.sessions(now - DAYS_BACK * DAY, now + DAYS_AHEAD * DAY)
        except PaddockError as error:
            log.warning("The market's hours cannot be read: %s", error.message, extra={"remedy": error.remedy})
            return
        self._stocks.put(extended(sessions) if self._choice is Choice.EXTENDED else sessions)


class _Chosen(NewYorkDays):
    """Hours that become known while candles are built."""

    def __init__(self) -> None:
        self._hours: SessionHours | None = None

    @property
    def known(self) -> bool:
        return self._hours is not None

    def put(self, sessions: list[Span]) -> None:
        self._hours = SessionHours(sessions)

    def includes(self, at: int) -> bool:
        return self._hours is None or self._hours.includes(at)

    def sessions(self, start: int, end: int) -> list[Span]:
        return super().sessions(start, end) if self._hours is None else self._hours.sessions(start, end)
