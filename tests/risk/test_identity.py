"""Environment, address and keys must belong together before real money moves."""

from __future__ import annotations

import msgspec
import pytest

from engine.broker.address import VenueAddress
from engine.risk.identity import mismatch

LOCAL = VenueAddress.local("http://127.0.0.1:9", "demo", "demo")
PAPER = VenueAddress.alpaca("PKTEST", "s", live=False)
LIVE = VenueAddress.alpaca("AKTEST", "s", live=True)


@pytest.mark.parametrize(("environment", "address"), [("demo", LOCAL), ("paper", PAPER), ("live", LIVE)])
def test_what_belongs_together_fits(environment: str, address: VenueAddress) -> None:
    assert mismatch(environment, address) == ""


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ("demo", PAPER),
        ("demo", LIVE),
        ("paper", LIVE),
        ("live", PAPER),
        ("live", LOCAL),
        ("paper", msgspec.structs.replace(PAPER, key="AKTEST")),
        ("live", msgspec.structs.replace(LIVE, key="PKTEST")),
    ],
)
def test_what_does_not_is_said_in_words(environment: str, address: VenueAddress) -> None:
    assert mismatch(environment, address)
