"""What every rule is and answers with."""

from __future__ import annotations

from typing import Protocol

import msgspec

from engine.risk.case import Case


class Refusal(msgspec.Struct, frozen=True):
    message: str
    remedy: str = ""


class Rule(Protocol):
    """Its name is what a verdict calls it."""

    __name__: str

    def __call__(self, case: Case) -> Refusal | None: ...
