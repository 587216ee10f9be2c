"""Corporate actions: what is announced, when it takes effect, and what it makes of prices before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, time
from decimal import Decimal
from enum import StrEnum

import msgspec

from engine.exchange.orders import ZERO
from engine.exchange.sessions import at_new_york

ACTION_LIMIT = 1_000
"""Actions that one exchange keeps."""
NEVER = 1 << 62
_ONE = Decimal(1)


class Kind(StrEnum):
    FORWARD_SPLIT = "forward_split"
    REVERSE_SPLIT = "reverse_split"
    CASH_DIVIDEND = "cash_dividend"

    @property
    def is_split(self) -> bool:
        return self is not Kind.CASH_DIVIDEND


class CorporateAction(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A split of `old_rate` shares into `new_rate`, or a dividend of `cash` dollars a share. Times are nanoseconds UTC,
    0 for what has not happened. Changed by the venue only.
    """

    action_id: str
    kind: Kind
    symbol: str
    declared: date
    ex_date: date
    payable_date: date
    new_rate: Decimal = _ONE
    old_rate: Decimal = _ONE
    cash: Decimal = ZERO
    special: bool = False
    cash_in_lieu: bool = False
    """Fractions of a share that a split makes are paid out; without it, accounts keep them, as at Alpaca."""
    effective_at: int = 0
    paid_at: int = 0
    factor: float = 1.0
    """By what prices before it are multiplied to go with those after it."""
    entitled: dict[str, Decimal] = {}
    """Positions by account at the time of a dividend: who is paid, or pays."""

    @property
    def ratio(self) -> Decimal:
        """Shares after a split for each before it."""
        return self.new_rate / self.old_rate

    @property
    def due(self) -> int:
        """When something is to be done about it next."""
        if not self.effective_at:
            return at_new_york(self.ex_date, time())
        if self.kind.is_split or self.paid_at:
            return NEVER
        return at_new_york(self.payable_date, time())


class Calendar:
    """The actions of one exchange, in the order they were announced."""

    def __init__(self, actions: Iterable[CorporateAction] = ()) -> None:
        self._actions: dict[str, CorporateAction] = {}
        self._by_symbol: dict[str, list[CorporateAction]] = {}
        self.next_due = NEVER
        """When something is to be done next."""
        for action in actions:
            self.add(action)

    def __iter__(self) -> Iterator[CorporateAction]:
        return iter(self._actions.values())

    def __len__(self) -> int:
        return len(self._actions)

    def add(self, action: CorporateAction) -> None:
        self._actions[action.action_id] = action
        self._by_symbol.setdefault(action.symbol, []).append(action)
        self.next_due = min(self.next_due, action.due)

    def settle(self) -> None:
        """After actions have changed."""
        self.next_due = min((action.due for action in self), default=NEVER)

    def get(self, action_id: str) -> CorporateAction | None:
        return self._actions.get(action_id)

    def due(self, now: int) -> list[CorporateAction]:
        return sorted((action for action in self if action.due <= now), key=lambda action: action.due)

    def effective(self, symbol: str) -> list[CorporateAction]:
        """Those that have taken effect."""
        return [action for action in self._by_symbol.get(symbol, ()) if action.effective_at]

    def taken(self, after: int, until: int) -> list[CorporateAction]:
        """Those that took effect in this time, oldest first."""
        found = [action for action in self if after < action.effective_at <= until]
        return sorted(found, key=lambda action: action.effective_at)

    def factor(self, symbol: str, at: int) -> float:
        """By what a source's price is multiplied at a time: every action before it has moved it."""
        product = 1.0
        for action in self.effective(symbol):
            if action.effective_at <= at:
                product *= action.factor
        return product
