"""Which sale conditions the exchange prints, and whether a print of some is an auction's.

Tapes write a letter or a digit for each condition; recordings write AlgoSeek's bit flags as hexadecimal text.
"""

from __future__ import annotations

from functools import lru_cache

from engine.domain.market import Trade

REGULAR, OPENING, CLOSING, EXTENDED, LATE = "@", "O", "6", "T", "Z"
_OPENING_FLAGS = 0x40 | 0x4000000
_CLOSING_FLAGS = 0x80 | 0x1000000


def is_opening(trade: Trade) -> bool:
    """Whether it is the print of an opening auction, or of an exchange's official open."""
    return any(_means(condition, OPENING, _OPENING_FLAGS) for condition in trade.conditions)


def is_closing(trade: Trade) -> bool:
    """Whether it is the print of a closing auction, or of an exchange's official close."""
    return any(_means(condition, CLOSING, _CLOSING_FLAGS) for condition in trade.conditions)


@lru_cache(maxsize=4096)
def is_auction(conditions: tuple[str, ...]) -> bool:
    """Whether a print of these conditions is an opening or a closing one."""
    return any(_means(c, OPENING, _OPENING_FLAGS) or _means(c, CLOSING, _CLOSING_FLAGS) for c in conditions)


@lru_cache(maxsize=4096)
def _means(condition: str, letter: str, flags: int) -> bool:
    if len(condition) < 2:
        return condition == letter
    try:
        return bool(int(condition, 16) & flags)
    except ValueError:
        return False
