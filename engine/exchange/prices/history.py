"""Bars from before the start of the simulation, drawn backwards from the first live price so that they join it.

Every day has its own seed. Two runs that start at different times with the same seed tell the same history, at a
level that ends where the live price begins.
"""

from __future__ import annotations

import zlib
from datetime import time
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.domain.market import NANOSECONDS, is_crypto
from engine.exchange.assets import profile
from engine.exchange.prices.base import BarColumns, Floats, Integers, aggregate
from engine.exchange.prices.shape import MINUTE, activity, minute_of_day, pace
from engine.exchange.sessions import Sessions, at_new_york, midnight, new_york

MINUTE_DAYS = 30
DAILY_DAYS = 730
SESSION_SECONDS = 252 * 23_400
_DAY = 86_400 * NANOSECONDS
_MARKET = 1
_MINUTE_PULL, _DAY_PULL = 1e-4, 7.5e-3
"""How fast prices forget: without it a random walk of two years ends anywhere."""
_STOCK_VOLUME, _CRYPTO_VOLUME = 20_000.0, 9.0
"""Units a minute that the live tape prints, so that the bars before it look like those after it."""


class Compact(msgspec.Struct, frozen=True, eq=False):
    """Minute bars in 28 bytes a row: start times, prices in whole cents, volumes. Count and mean price follow from them."""

    timestamp: Integers
    cents: NDArray[np.int32]
    """Shape (4, n): open, high, low, close."""
    volume: NDArray[np.float32]

    def expand(self, size: float, rows: slice) -> BarColumns:
        opening, high, low, close = self.cents[:, rows] / 100
        volume = np.array(self.volume[rows], np.float64).round(4)
        counts = np.maximum((volume / size).astype(np.int64), 1)
        vwap = np.round((high + low + close) / 3, 4)
        return BarColumns(self.timestamp[rows], opening, high, low, close, volume, counts, vwap)


class History:
    """Minute and daily bars up to `until`. `levels` are the prices of the symbols at that time, in dollars.

    With `sessions`, stocks have bars only in those.
    """

    def __init__(self, seed: int, until: int, levels: dict[str, float], *, sessions: Sessions | None = None) -> None:
        self._seed = seed
        self._until = until
        self._levels = levels
        self._sessions = sessions
        self._grids: dict[bool, tuple[Integers, Floats]] = {}
        self._minutes: dict[str, Compact] = {}
        self._days: dict[str, BarColumns] = {}

    def minute_bars(self, symbol: str, start: int, end: int) -> BarColumns:
        """Those of thirty days of minutes whose start is in [start, end). Made at the first call and kept."""
        if symbol not in self._minutes:
            self._minutes[symbol] = self._make_minutes(symbol)
        compact = self._minutes[symbol]
        first, last = np.searchsorted(compact.timestamp, (start, end))
        return compact.expand(_mean_size(symbol), slice(int(first), int(last)))

    def daily_bars(self, symbol: str) -> BarColumns:
        """Two years of days before the day of `until`; the last thirty agree with the minutes."""
        if symbol not in self._days:
            self._days[symbol] = self._make_days(symbol)
        return self._days[symbol]

    def _make_minutes(self, symbol: str) -> Compact:
        known = profile(symbol)
        timestamps, shape = self._grid(is_crypto(symbol))
        draws = self._minute_draws(symbol, timestamps)
        sigma = known.volatility * np.sqrt(60 / SESSION_SECONDS) * shape
        own = np.sqrt(1 - known.correlation**2)
        returns = sigma * (known.correlation * draws[0] + own * draws[1])
        prices = _prices(returns, sigma, draws[2:4], self._levels[symbol], _MINUTE_PULL)
        return Compact(timestamps, prices, _volumes(symbol, pace(shape, self._sessions is not None), draws[4]))

    def _grid(self, crypto: bool) -> tuple[Integers, Floats]:
        """The minutes there are, and how lively each is."""
        if crypto not in self._grids:
            first = midnight(self._until - MINUTE_DAYS * _DAY)
            timestamps = np.arange(first, self._until, MINUTE, dtype=np.int64)
            if self._sessions is not None and not crypto:
                timestamps = _session_minutes(self._sessions, first, self._until)
            shape = np.ones(len(timestamps)) if crypto else activity(minute_of_day(timestamps))
            self._grids[crypto] = (timestamps, shape)
        return self._grids[crypto]

    def _minute_draws(self, symbol: str, timestamps: Integers) -> Floats:
        """Normal draws, shape (5, n): market, own, reach above, reach below, volume."""
        first, last = int(timestamps[0]) // _DAY, int(timestamps[-1]) // _DAY
        days = range(first, last + 1)
        market = np.concatenate([_market_day(self._seed, day) for day in days])
        number = zlib.crc32(symbol.encode())
        own = np.concatenate([_draw(self._seed, number, day, (4, 1440)) for day in days], axis=1)
        rows = (timestamps - first * _DAY) // MINUTE
        return np.vstack((market[rows], own[:, rows]))

    def _make_days(self, symbol: str) -> BarColumns:
        minutes = self.minute_bars(symbol, 0, midnight(self._until))
        keys = minutes.timestamp - (minute_of_day(minutes.timestamp) * MINUTE).astype(np.int64)
        recent = aggregate(minutes, keys)
        early = self._early_days(
            symbol,
            self._days_before(int(recent.timestamp[0]), is_crypto(symbol)),
            float(recent.open[0]),
            float(recent.volume.mean()),
        )
        return BarColumns.join([early, recent])

    def _days_before(self, day: int, crypto: bool) -> Integers:
        """The midnights of two years of days before `day`."""
        noons = day + _DAY // 2 - _DAY * np.arange(DAILY_DAYS - MINUTE_DAYS, 0, -1)
        if self._sessions is None or crypto:
            return np.array([midnight(int(noon)) for noon in noons], np.int64)
        days = self._sessions.days(new_york(int(noons[0])).date(), new_york(int(noons[-1])).date())
        return np.array([at_new_york(known.day, time()) for known in days], np.int64)

    def _early_days(self, symbol: str, timestamps: Integers, level: float, volume: float) -> BarColumns:
        known = profile(symbol)
        number = zlib.crc32(symbol.encode())
        days = (timestamps // _DAY).tolist()
        market = np.array([_market_drift(self._seed, day) for day in days])
        draws = np.array([_draw(self._seed, number + 1, day, (4,)) for day in days]).T
        sigma = np.full(len(days), known.volatility / np.sqrt(365 if is_crypto(symbol) else 252))
        own = np.sqrt(1 - known.correlation**2)
        returns = sigma * (known.correlation * market + own * draws[0])
        prices = _prices(returns, sigma, draws[1:3], level, _DAY_PULL)
        volumes = (volume * np.exp(0.25 * draws[3])).astype(np.float32)
        return Compact(timestamps, prices, volumes).expand(_mean_size(symbol), slice(None))


def _session_minutes(sessions: Sessions, start: int, end: int) -> Integers:
    """The minutes of [start, end) that are in session."""
    parts = [np.empty(0, np.int64)]
    for known in sessions.days(new_york(start).date(), new_york(end).date()):
        opens, closes = at_new_york(known.day, known.opens), at_new_york(known.day, known.closes)
        parts.append(np.arange(max(opens, start), min(closes, end), MINUTE, dtype=np.int64))
    return np.concatenate(parts)


def _draw(seed: int, number: int, day: int, size: tuple[int, ...]) -> Floats:
    return np.random.default_rng((seed, number, day)).standard_normal(size)


@lru_cache(maxsize=40)
def _market_day(seed: int, day: int) -> Floats:
    return _draw(seed, _MARKET, day, (1440,))


@lru_cache(maxsize=1024)
def _market_drift(seed: int, day: int) -> float:
    return float(_draw(seed, _MARKET + 1, day, (1,))[0])


def _prices(returns: Floats, sigma: Floats, reach: Floats, level: float, pull: float) -> NDArray[np.int32]:
    """Open, high, low, close in cents, shape (4, n), of a path that ends at `level`. It is followed backwards, and the
    distance from `level` decays by `pull` a step.
    """
    weights = np.exp(pull * np.arange(len(returns)))
    distance = np.cumsum(returns[::-1] * weights) / weights
    close = level * np.exp(-np.concatenate(([0.0], distance[:-1])))[::-1]
    opening = np.concatenate(([level * np.exp(-distance[-1])], close[:-1]))
    high = np.maximum(opening, close) * np.exp(0.4 * sigma * np.abs(reach[0]))
    low = np.minimum(opening, close) * np.exp(-0.4 * sigma * np.abs(reach[1]))
    cents: NDArray[np.int32] = np.maximum(np.rint(np.vstack((opening, high, low, close)) * 100), 1).astype(np.int32)
    return cents


def _volumes(symbol: str, shape: Floats, noise: Floats) -> NDArray[np.float32]:
    usual = _CRYPTO_VOLUME if is_crypto(symbol) else _STOCK_VOLUME * profile(symbol).lots
    volume = usual * shape * np.exp(0.5 * noise - 0.125)
    decimals = 4 if is_crypto(symbol) else 0
    return np.maximum(np.round(volume, decimals), 10.0**-decimals).astype(np.float32)


def _mean_size(symbol: str) -> float:
    return 0.12 if is_crypto(symbol) else 250.0 * profile(symbol).lots
