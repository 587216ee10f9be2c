"""The state of a portfolio as it is kept in snapshots, with what proves that it belongs to a journal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from engine.domain.orders import Fill
from engine.domain.portfolio import CostBasis, Position


class PortfolioState(msgspec.Struct, frozen=True, kw_only=True):
    basis: CostBasis
    fills: int
    """How many were counted, and `proof` of which they were."""
    proof: str
    bookings: list[str]
    """Ids of the bookings that are in it."""
    positions: list[Position]
    unassigned: Decimal


class Proof:
    """A digest of execution ids in the sequence in which they were counted."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, fills: Iterable[Fill]) -> None:
        for fill in fills:
            self._digest.update(fill.execution_id.encode() + b"\n")

    @property
    def value(self) -> str:
        return self._digest.hexdigest()


def encode(state: PortfolioState) -> bytes:
    return msgspec.msgpack.encode(state)


def decode(payload: bytes) -> PortfolioState | None:
    """None for what is no state."""
    try:
        return msgspec.msgpack.decode(payload, type=PortfolioState)
    except msgspec.MsgspecError:
        return None


def objection(state: PortfolioState, fills: Sequence[Fill], bookings: Iterable[str], basis: CostBasis) -> str:
    """Why a state does not belong to what the journal has; empty when it does."""
    if state.basis is not basis:
        return f"it was taken with cost basis {state.basis.value}"
    if state.fills > len(fills):
        return f"it counts {state.fills} fills and the journal has {len(fills)}"
    if not set(state.bookings) <= set(bookings):
        return "it has bookings that the journal does not have"
    proof = Proof()
    proof.add(fills[: state.fills])
    return "" if proof.value == state.proof else "its fills are not those of the journal"
