"""The house rules of one exchange, which its accounts find and cannot change: what it charges and what it lends."""

from __future__ import annotations

import msgspec

from engine.exchange.fees import Fees


class House(msgspec.Struct, frozen=True, kw_only=True):
    """`not_shortable` and `hard_to_borrow` name symbols; neither can be sold short, as at Alpaca."""

    fees: Fees = Fees()
    not_shortable: frozenset[str] = frozenset()
    hard_to_borrow: frozenset[str] = frozenset()
