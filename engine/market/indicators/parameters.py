"""Which indicators there are, over how many bars each reaches, and how much history makes their values trustworthy."""

from __future__ import annotations

from typing import Annotated

import msgspec

from engine.domain.errors import ConfigurationError

NAMES = (
    "sma", "ema", "rsi", "macd", "macd_signal", "macd_histogram",
    "bollinger_upper", "bollinger_middle", "bollinger_lower", "atr", "vwap",
)  # fmt: skip
"""The columns of every array of values, in this order."""

Length = Annotated[int, msgspec.Meta(ge=2, le=1_000)]
FORGOTTEN = 1e-11
"""Share of the first bar that may be left in a recursive average when its value is first given out."""


class IndicatorParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Lengths in bars; `bollinger_width` in standard deviations. The defaults are the ones that charts use."""

    sma: Length = 20
    ema: Length = 20
    rsi: Length = 14
    macd_fast: Length = 12
    macd_slow: Length = 26
    macd_signal: Length = 9
    bollinger: Length = 20
    bollinger_width: Annotated[float, msgspec.Meta(gt=0, le=10)] = 2.0
    atr: Length = 14

    def __post_init__(self) -> None:
        if self.macd_fast >= self.macd_slow:
            raise ConfigurationError(
                f"MACD: the fast length ({self.macd_fast}) must be below the slow one ({self.macd_slow}).",
                "Change one of them.",
            )

    @property
    def lookback(self) -> int:
        """Bars before every indicator has a value."""
        macd = self.macd_slow + self.macd_signal - 1
        return max(self.sma, self.ema, self.bollinger, self.rsi + 1, self.atr + 1, macd)

    @property
    def warm_up(self) -> int:
        """Bars after which the first one weighs less than FORGOTTEN in each: values no longer tell where history began.

        An exponential average of length n keeps (n-1)/(n+1) of what it was at each bar, Wilder's keeps (n-1)/n.
        """
        kept = [1 - 2 / (length + 1) for length in (self.ema, self.macd_slow, self.macd_signal)]
        kept += [1 - 1 / length for length in (self.rsi, self.atr)]
        slowest, bars = max(kept), 0
        weight = 1.0
        while weight > FORGOTTEN:
            weight *= slowest
            bars += 1
        return self.lookback + bars
