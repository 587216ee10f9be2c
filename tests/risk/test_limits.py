"""[risk] of the configuration becomes the limits that hold; what contradicts itself is refused with both numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import load_settings
from engine.domain.errors import ConfigurationError
from engine.orchestrator.plan import limits_of
from engine.risk.limits import Limits

PAPER = 'environment = "paper"\n'


def limits_from(folder: Path, text: str) -> Limits:
    (folder / "paddock.toml").write_text(text)
    return limits_of(load_settings(folder))


def test_without_a_word_the_defaults_hold(tmp_path: Path) -> None:
    assert limits_from(tmp_path, PAPER) == Limits()


def test_what_is_configured_holds(tmp_path: Path) -> None:
    limits = limits_from(
        tmp_path, PAPER + '[risk]\nrestricted = ["GME"]\nallowed = ["SPY"]\nshort_sales = false\nprice_collar = 0.01\n'
    )
    assert (limits.restricted, limits.allowed) == ({"GME"}, {"SPY"})
    assert (limits.short_sales, limits.price_collar) == (False, 0.01)


@pytest.mark.parametrize(
    "line",
    [
        "daily_loss_reducing = 0.06",
        "drawdown_alert = 0.2",
        "max_open_orders_per_symbol = 51",
        "orders_per_day_and_sleeve = 501",
        "orders_per_day = 50001",
        "rate_kept_for_cancels = 1.0",
        'restricted = ["gme"]',
        "max_order_quantity = 0",
    ],
)
def test_what_cannot_hold_is_refused_by_name(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigurationError, match=line.split()[0]):
        limits_from(tmp_path, f"{PAPER}[risk]\n{line}\n")
