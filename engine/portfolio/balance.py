"""Three books side by side: what the engine holds, what its journal says, and what the broker has."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

import msgspec

from engine.domain.portfolio import ZERO

Quantities = Mapping[str, Decimal]


class Verdict(StrEnum):
    EQUAL = "equal"
    OUTSIDE = "traded elsewhere"
    """The broker has something else, and the external sleeve says so."""
    DIFFERS = "differs"
    """Nobody can say why."""


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """Signed units. `difference` is what the broker has beyond the journal."""

    symbol: str
    engine: Decimal
    journal: Decimal
    broker: Decimal
    difference: Decimal
    verdict: Verdict


def compare(engine: Quantities, external: Quantities, journal: Quantities, broker: Quantities) -> list[Balance]:
    """`engine` is what our sleeves hold without the external one. One row for each symbol that any book names."""
    symbols = sorted({symbol for book in (engine, external, journal, broker) for symbol, held in book.items() if held})
    return [
        _row(symbol, *(book.get(symbol, ZERO) for book in (engine, external, journal, broker))) for symbol in symbols
    ]


def _row(symbol: str, engine: Decimal, external: Decimal, journal: Decimal, broker: Decimal) -> Balance:
    if engine != journal or engine + external != broker:
        verdict = Verdict.DIFFERS
    else:
        verdict = Verdict.OUTSIDE if external else Verdict.EQUAL
    return Balance(
        symbol=symbol, engine=engine, journal=journal, broker=broker, difference=broker - journal, verdict=verdict
    )
