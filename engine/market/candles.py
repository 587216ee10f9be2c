"""Candles from trades: seconds and minutes as they grow, longer ones from minutes.

A candle closes when the tape has moved past its end, by the newest time seen in any symbol; a symbol without trades
makes none. A print that comes later amends the newest closed candle, which is then given out again. Minute bars of
the venue replace ours, because they know of corrections that we do not.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from engine.domain.market import Bar, Timeframe, Trade
from engine.market.normaliser import sets_price

SECONDS_KEPT = 1_800
MINUTES_KEPT = 2_000
LONGER = (Timeframe.MINUTE_5, Timeframe.MINUTE_15, Timeframe.HOUR_1, Timeframe.HOUR_4, Timeframe.DAY_1)


class Series:
    """The candles of one symbol and timeframe, oldest first, bounded."""

    def __init__(self, symbol: str, timeframe: Timeframe, most: int) -> None:
        self.bars: OrderedDict[int, Bar] = OrderedDict()
        self._symbol = symbol
        self._timeframe = timeframe
        self._most = most

    def add_trade(self, trade: Trade, moves_price: bool) -> int | None:
        """The start of the candle that changed; None for a print too old to count, or one that sets no price alone."""
        length = self._timeframe.nanoseconds
        start = trade.timestamp // length * length
        bar = self.bars.get(start)
        if bar is None:
            newest = next(reversed(self.bars), -1)
            if start < newest or not moves_price:
                return None
            self.put(
                Bar(
                    self._symbol, self._timeframe, start, trade.price, trade.price, trade.price, trade.price,
                    trade.size, 1, trade.price, False,
                )
            )  # fmt: skip
            return start
        volume = bar.volume + trade.size
        high, low, close = bar.high, bar.low, bar.close
        if moves_price:
            high, low, close = max(high, trade.price), min(low, trade.price), trade.price
        vwap = (bar.vwap * bar.volume + trade.price * trade.size) / volume
        self.bars[start] = Bar(
            self._symbol, self._timeframe, start, bar.open, high, low, close,
            volume, bar.trade_count + 1, vwap, bar.closed,
        )  # fmt: skip
        return start

    def put(self, bar: Bar) -> None:
        newest = next(reversed(self.bars), -1)
        self.bars[bar.timestamp] = bar
        if bar.timestamp < newest:
            self.bars = OrderedDict(sorted(self.bars.items()))
        while len(self.bars) > self._most:
            self.bars.popitem(last=False)

    def close_before(self, time: int) -> list[Bar]:
        """Close what ended at or before `time`; the candles closed now, oldest first."""
        closed: list[Bar] = []
        for start in reversed(self.bars):
            bar = self.bars[start]
            if bar.closed:
                break
            if start + self._timeframe.nanoseconds <= time:
                closed.append(_as_closed(bar))
        for bar in closed:
            self.bars[bar.timestamp] = bar
        closed.reverse()
        return closed


class Candles:
    """All candles of one symbol."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.seconds = Series(symbol, Timeframe.SECOND_1, SECONDS_KEPT)
        self.minutes = Series(symbol, Timeframe.MINUTE_1, MINUTES_KEPT)
        self._changed: dict[Timeframe, set[int]] = {Timeframe.SECOND_1: set(), Timeframe.MINUTE_1: set()}
        self._base: dict[Timeframe, Bar] = {}
        self._day_offset = 0

    def add(self, trades: Iterable[Trade]) -> list[Bar]:
        """Returns closed candles that late prints amended."""
        amended: dict[tuple[Timeframe, int], Bar] = {}
        for trade in trades:
            moves = sets_price(trade)
            for timeframe, series in ((Timeframe.SECOND_1, self.seconds), (Timeframe.MINUTE_1, self.minutes)):
                start = series.add_trade(trade, moves)
                if start is not None:
                    self._changed[timeframe].add(start)
                    if series.bars[start].closed:
                        amended[timeframe, start] = series.bars[start]
        return list(amended.values())

    def close_before(self, time: int) -> list[Bar]:
        closed = self.seconds.close_before(time)
        for minute in self.minutes.close_before(time):
            closed += [minute, *self._roll(minute)]
        return closed

    def replace_minute(self, bar: Bar) -> None:
        """The venue's own closed minute."""
        self.minutes.put(bar)

    def seed(self, minutes: Iterable[Bar], day_start: int) -> None:
        """Closed minutes of today, so that longer candles do not begin in the middle of their time.

        `day_start` is when the venue's day begins: New York's midnight for stocks, UTC's for crypto.
        """
        self._day_offset = day_start % Timeframe.DAY_1.nanoseconds
        self._base.clear()
        for bar in minutes:
            self.minutes.put(bar)
            self._roll(bar)

    def growing(self) -> list[Bar]:
        """Candles that changed since the last call and are still open, the longer ones included."""
        found: list[Bar] = []
        for timeframe, series in ((Timeframe.SECOND_1, self.seconds), (Timeframe.MINUTE_1, self.minutes)):
            changed = self._changed[timeframe]
            found += [bar for start in sorted(changed) if (bar := series.bars.get(start)) and not bar.closed]
            changed.clear()
        newest = next(reversed(self.minutes.bars.values()), None)
        if found and newest is not None and not newest.closed:
            found += [self._longer(timeframe, newest) for timeframe in LONGER]
        return found

    def current(self, timeframe: Timeframe) -> Bar | None:
        """The candle of `timeframe` that holds the newest minute."""
        newest = next(reversed(self.minutes.bars.values()), None)
        if newest is None or timeframe not in LONGER:
            return newest if timeframe is Timeframe.MINUTE_1 else None
        if newest.closed:
            return self._base.get(timeframe)
        return self._longer(timeframe, newest)

    def _longer(self, timeframe: Timeframe, minute: Bar) -> Bar:
        length = timeframe.nanoseconds
        offset = self._day_offset if timeframe is Timeframe.DAY_1 else 0
        start = (minute.timestamp - offset) // length * length + offset
        base = self._base.get(timeframe)
        if base is not None and base.timestamp == start:
            return _joined(base, minute)
        return _as(minute, timeframe, start)

    def _roll(self, minute: Bar) -> list[Bar]:
        """Add a closed minute to the longer candles; those that end with it."""
        closed: list[Bar] = []
        for timeframe in LONGER:
            bar = self._longer(timeframe, minute)
            self._base[timeframe] = bar
            if minute.timestamp + Timeframe.MINUTE_1.nanoseconds == bar.timestamp + timeframe.nanoseconds:
                closed.append(_as_closed(bar))
        return closed


def _as_closed(bar: Bar) -> Bar:
    return _as(bar, bar.timeframe, bar.timestamp, closed=True)


def _as(bar: Bar, timeframe: Timeframe, start: int, closed: bool = False) -> Bar:
    return Bar(
        bar.symbol, timeframe, start, bar.open, bar.high, bar.low, bar.close,
        bar.volume, bar.trade_count, bar.vwap, closed,
    )  # fmt: skip


def _joined(base: Bar, minute: Bar) -> Bar:
    volume = base.volume + minute.volume
    vwap = (base.vwap * base.volume + minute.vwap * minute.volume) / volume if volume else base.vwap
    return Bar(
        base.symbol, base.timeframe, base.timestamp, base.open, max(base.high, minute.high),
        min(base.low, minute.low), minute.close, volume, base.trade_count + minute.trade_count, vwap, False,
    )  # fmt: skip
