"""Candles from trades: seconds and minutes as they grow, longer ones from minutes.

A candle closes when the tape has moved past its end, by the newest time seen in any symbol; a symbol without trades
makes none. A print that comes later amends its closed candle, which is then given out again. Minute bars of the venue
replace ours, because they know of corrections that we do not, and the longer candles follow them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from engine.domain.market import Bar, Timeframe, Trade
from engine.market.longer import LONGER, MINUTES_KEPT, LongerCandles, as_bar
from engine.market.normaliser import sets_price

SECONDS_KEPT = 1_800


class Series:
    """The candles of one symbol and timeframe, oldest first, bounded."""

    def __init__(self, symbol: str, timeframe: Timeframe, most: int) -> None:
        self.bars: OrderedDict[int, Bar] = OrderedDict()
        self._symbol = symbol
        self._timeframe = timeframe
        self._most = most
        self._priceless = _Priceless(-1)

    def add_trade(self, trade: Trade, moves_price: bool) -> int | None:
        """The start of the candle that changed; None for a print too old to count, or one that sets no price alone."""
        length = self._timeframe.nanoseconds
        start = trade.timestamp // length * length
        bar = self.bars.get(start)
        if bar is None:
            if not moves_price:
                self._wait_for_price(start, trade)
                return None
            return start if self._begin(start, trade) else None
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

    def _begin(self, start: int, trade: Trade) -> bool:
        """A new candle; closed at once when a newer one exists. False for a time before all that are kept."""
        newest = next(reversed(self.bars), -1)
        if start < newest and start < next(iter(self.bars)):
            return False
        volume, count, notional = trade.size, 1, trade.price * trade.size
        if self._priceless.start == start:
            volume += self._priceless.volume
            count += self._priceless.count
            notional += self._priceless.notional
        price = trade.price
        self.put(
            Bar(
                self._symbol, self._timeframe, start, price, price, price, price,
                volume, count, notional / volume, start < newest,
            )
        )  # fmt: skip
        return True

    def _wait_for_price(self, start: int, trade: Trade) -> None:
        """An odd lot or the like before the first price of its time: it counts as soon as there is a candle."""
        if start > self._priceless.start:
            self._priceless = _Priceless(start)
        if start == self._priceless.start:
            self._priceless.volume += trade.size
            self._priceless.count += 1
            self._priceless.notional += trade.price * trade.size

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
                closed.append(as_bar(bar, self._timeframe, start, closed=True))
        for bar in closed:
            self.bars[bar.timestamp] = bar
        closed.reverse()
        return closed


class _Priceless:
    """Prints of one candle's time that came before any that sets a price."""

    __slots__ = ("count", "notional", "start", "volume")

    def __init__(self, start: int) -> None:
        self.start = start
        self.count = 0
        self.volume = self.notional = 0.0


class Candles:
    """All candles of one symbol."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.seconds = Series(symbol, Timeframe.SECOND_1, SECONDS_KEPT)
        self.minutes = Series(symbol, Timeframe.MINUTE_1, MINUTES_KEPT)
        self._changed: dict[Timeframe, set[int]] = {Timeframe.SECOND_1: set(), Timeframe.MINUTE_1: set()}
        self._longer = LongerCandles()

    def add(self, trades: Iterable[Trade]) -> list[Bar]:
        """Returns closed candles that late prints amended, the longer ones included."""
        amended: dict[tuple[Timeframe, int], Bar] = {}
        for trade in trades:
            moves = sets_price(trade)
            for timeframe, series in ((Timeframe.SECOND_1, self.seconds), (Timeframe.MINUTE_1, self.minutes)):
                start = series.add_trade(trade, moves)
                if start is not None:
                    self._changed[timeframe].add(start)
                    if series.bars[start].closed:
                        amended[timeframe, start] = series.bars[start]
        for (timeframe, _), bar in list(amended.items()):
            if timeframe is Timeframe.MINUTE_1:
                amended.update(((b.timeframe, b.timestamp), b) for b in self._longer.take(bar, self.minutes.bars))
        return list(amended.values())

    def close_before(self, time: int) -> list[Bar]:
        closed = self.seconds.close_before(time)
        for minute in self.minutes.close_before(time):
            closed += [minute, *self._longer.take(minute, self.minutes.bars)]
        return closed + self._longer.close_before(time)

    def replace_minute(self, bar: Bar) -> list[Bar]:
        """The venue's own closed minute; what is to be given out again because of it, itself included."""
        self.minutes.put(bar)
        return [bar, *self._longer.take(bar, self.minutes.bars)]

    def seed(self, minutes: Iterable[Bar], day_start: int) -> None:
        """Closed minutes of today, so that longer candles do not begin in the middle of their time.

        `day_start` is when the venue's day begins: New York's midnight for stocks, UTC's for crypto.
        """
        for bar in minutes:
            self.minutes.put(bar)
        self._longer = LongerCandles(day_start % Timeframe.DAY_1.nanoseconds)
        for bar in self.minutes.bars.values():
            if bar.closed:
                self._longer.take(bar, self.minutes.bars)

    def growing(self) -> list[Bar]:
        """Candles that changed since the last call and are still open, the longer ones included."""
        found: list[Bar] = []
        for timeframe, series in ((Timeframe.SECOND_1, self.seconds), (Timeframe.MINUTE_1, self.minutes)):
            changed = self._changed[timeframe]
            found += [bar for start in sorted(changed) if (bar := series.bars.get(start)) and not bar.closed]
            changed.clear()
        newest = next(reversed(self.minutes.bars.values()), None)
        if found and newest is not None and not newest.closed:
            found += [self._longer.with_minute(timeframe, newest) for timeframe in LONGER]
        return found

    def current(self, timeframe: Timeframe) -> Bar | None:
        """The candle of `timeframe` that holds the newest minute."""
        newest = next(reversed(self.minutes.bars.values()), None)
        if newest is None or timeframe not in LONGER:
            return newest if timeframe is Timeframe.MINUTE_1 else None
        if newest.closed:
            return self._longer.newest(timeframe)
        return self._longer.with_minute(timeframe, newest)
