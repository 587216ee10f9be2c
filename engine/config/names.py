"""What symbols and bots may be called."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

SYMBOL = r"^[A-Z][A-Z0-9.]{0,9}(/[A-Z]{3,5})?$"
BOT_NAME = r"^[a-z][a-z0-9-]{0,14}$"
"""With "paper-" before and an id of 26 characters after it, an order's id has the 48 characters that are allowed."""


def _unique(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


Symbol = Annotated[str, Field(pattern=SYMBOL)]
Symbols = Annotated[list[Symbol], AfterValidator(_unique)]
"""Each once, in the order in which they were written."""
