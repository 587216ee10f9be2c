"""What a print's sale conditions let it update: the last price (open and close with it), high and low, the volume.

Sources: the sale condition matrices of the CTA (CTS output specification) and of the UTP plan (UTDF specification). A
print with several conditions updates what all of them allow. Form T (extended hours) is let through although it does
not set the consolidated last: it is the ordinary print before and after the session, and a last price that stood still
there would mislead. Conditions that update the last price only as the first print of a day are taken as not doing so.
"""

from __future__ import annotations

from functools import lru_cache

from engine.domain.market import Trade

LAST, HIGH_LOW, VOLUME = 1, 2, 4
ALL = LAST | HIGH_LOW | VOLUME

_VOLUME_ONLY = "C I H N R U V W 7"
"""Cash, odd lot, price variation, next day, seller, extended hours out of sequence, contingent, average, qualified."""
_HIGH_LOW_ONLY = "G P Z 4"
"""Bunched sold, prior reference price, sold out of sequence, derivatively priced: of an earlier moment, not the last."""
_NOTHING = "M Q"
"""An exchange's official close and open repeat prints that were told before."""
_COMMON = (
    dict.fromkeys(_VOLUME_ONLY.split(), VOLUME)
    | dict.fromkeys(_HIGH_LOW_ONLY.split(), HIGH_LOW | VOLUME)
    | dict.fromkeys(_NOTHING.split(), 0)
    | {"9": LAST | HIGH_LOW}  # a corrected consolidated close
)
LETTERS = {
    "A": _COMMON | {"B": VOLUME},  # average price on CTA's networks
    "B": _COMMON | {"B": VOLUME},
    "C": _COMMON,  # on UTP's, B is a bunched trade and updates all
}
"""By tape, then by letter; a letter that is not named updates all."""

_FLAGS_VOLUME_ONLY = (
    0x2  # cash
    | 0x4  # next day
    | 0x8  # seller's option
    | 0x20  # intermarket sweep
    | 0x200  # derivatively priced
    | 0x40000  # stock option trade
    | 0x100000  # average price
    | 0x400000  # price variation
    | 0x80000000  # odd lot
)
_FLAGS_HIGH_LOW_ONLY = (
    0x800  # sold last
    | 0x4000  # out of sequence
    | 0x2000000  # prior reference price
)
_FLAGS_NOTHING = (
    0x1000000  # official close
    | 0x4000000  # official open
)
"""Of recordings, whose conditions are AlgoSeek's bit flags in hexadecimal, two digits or more.

Source: TradeConditionFlags of QuantConnect LEAN. Sweeps and derivatively priced prints update high and low by CTA and
UTP rules; the official bars of the recordings leave them out.
"""


class Kind:
    """Conditions as all prints that have them share them, and what they let a print update."""

    __slots__ = ("conditions", "effect")

    def __init__(self, conditions: tuple[str, ...], effect: int) -> None:
        self.conditions = conditions
        self.effect = effect


NOTHING = Kind((), 0)
"""Of a print that was taken back."""


class Kinds(dict[tuple[str, ...], Kind]):
    """Of one tape, by conditions."""

    def __init__(self, tape: str) -> None:
        super().__init__()
        self._tape = tape

    def __missing__(self, conditions: tuple[str, ...]) -> Kind:
        if len(self) >= MOST_KINDS:
            self.clear()
        kind = self[conditions] = Kind(conditions, updates(self._tape, conditions))
        return kind


MOST_KINDS, MOST_TAPES = 20_000, 100
"""No venue has nearly as many; what is garbled may."""
_kinds: dict[str, Kinds] = {}


def kinds_of(tape: str) -> Kinds:
    found = _kinds.get(tape)
    if found is None:
        if len(_kinds) >= MOST_TAPES:
            _kinds.clear()
        found = _kinds[tape] = Kinds(tape)
    return found


def kind_of(trade: Trade) -> Kind:
    return kinds_of(trade.tape)[trade.conditions]


@lru_cache(maxsize=4_096)
def updates(tape: str, conditions: tuple[str, ...]) -> int:
    """A sum of LAST, HIGH_LOW and VOLUME."""
    found = ALL
    for condition in conditions:
        found &= _updates(tape, condition)
    return found


def sets_price(trade: Trade) -> bool:
    """Whether the print may be the last price."""
    return bool(updates(trade.tape, trade.conditions) & LAST)


def _updates(tape: str, condition: str) -> int:
    if len(condition) < 2:
        return LETTERS.get(tape, LETTERS["A"]).get(condition, ALL)
    try:
        flags = int(condition, 16)
    except ValueError:
        return ALL
    if flags & _FLAGS_NOTHING:
        return 0
    if flags & _FLAGS_VOLUME_ONLY:
        return VOLUME
    return HIGH_LOW | VOLUME if flags & _FLAGS_HIGH_LOW_ONLY else ALL
