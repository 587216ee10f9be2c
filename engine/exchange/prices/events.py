"""What a tape can say: prints and quotes, and the announcements that go with them."""

from __future__ import annotations

import msgspec

from engine.domain.market import Quote, Trade

HALTED, PAUSED, RESUMED = "H", "P", "T"
"""Status codes, as the tape of Nasdaq's stocks writes them."""


class Status(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A symbol stops trading or goes on. From a halt to its end nothing is printed and the last quote stands."""

    symbol: str
    code: str
    message: str
    reason_code: str
    reason: str
    tape: str
    timestamp: int

    @property
    def is_halt(self) -> bool:
        return self.code in (HALTED, PAUSED)


class Bands(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The prices between which a stock may trade (limit up, limit down); reaching one pauses it."""

    symbol: str
    upper: float
    lower: float
    timestamp: int


class LatePrint(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A print told at `timestamp`, after others that followed it in time: it makes bars, and fills nothing."""

    trade: Trade
    timestamp: int

    @property
    def symbol(self) -> str:
        return self.trade.symbol


class Correction(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`corrected` takes the place of `original`, which was printed before; both have the time of the print."""

    original: Trade
    corrected: Trade
    timestamp: int

    @property
    def symbol(self) -> str:
        return self.original.symbol


class Cancellation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """`trade`, which was printed before, did not happen. `action` is C for a cancel, E for an error."""

    trade: Trade
    action: str
    timestamp: int

    @property
    def symbol(self) -> str:
        return self.trade.symbol


TapeEvent = Trade | Quote | Status | Bands | LatePrint | Correction | Cancellation
"""Each has a `symbol` and the `timestamp`, nanoseconds UTC, at which it is told."""


def halt(symbol: str, at: int, code: str = HALTED) -> Status:
    """A halt for news, or a pause because the price reached its band."""
    if code == PAUSED:
        return Status(symbol, PAUSED, "Volatility Trading Pause", "LUDP", "Volatility Trading Pause", "C", at)
    return Status(symbol, HALTED, "Trading Halt", "T1", "Halt - News Pending", "C", at)


def resumption(symbol: str, at: int) -> Status:
    return Status(symbol, RESUMED, "Trading Resumption", "T3", "News and Resumption Times", "C", at)
