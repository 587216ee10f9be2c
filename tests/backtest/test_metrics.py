"""The figures of a run, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.backtest.metrics import YEAR, curve_figures, drawdown

DAY = 86_400 * 10**9


def figures(*equity: float, step: int = DAY) -> dict[str, float]:
    return curve_figures(np.arange(len(equity), dtype=np.int64) * step, np.array(equity, dtype=np.float64))


def test_ratios_by_hand() -> None:
    """Returns +10 %, -5 %, +10 %, -5 % on daily bars: mean 0.025, deviation sqrt(4 * 0.075² / 3)."""
    found = figures(100, 110, 104.5, 114.95, 109.2025)
    a_year = YEAR / 86_400
    deviation = math.sqrt(4 * 0.075**2 / 3)
    assert found["total_return"] == pytest.approx(0.092025)
    assert found["volatility"] == pytest.approx(deviation * math.sqrt(a_year))
    assert found["sharpe"] == pytest.approx(0.025 / deviation * math.sqrt(a_year))
    assert found["sortino"] == pytest.approx(0.025 / math.sqrt(2 * 0.05**2 / 4) * math.sqrt(a_year))
    assert found["max_drawdown"] == pytest.approx(-0.05)
    assert found["cagr"] == pytest.approx(1.092025 ** (a_year / 4) - 1)
    assert found["calmar"] == pytest.approx(found["cagr"] / 0.05)


def test_the_year_is_counted_in_the_bars_own_length() -> None:
    daily, weekly = figures(100, 110, 104.5, 114.95), figures(100, 110, 104.5, 114.95, step=7 * DAY)
    assert daily["sharpe"] == pytest.approx(weekly["sharpe"] * math.sqrt(7))


def test_a_doubling_in_a_year_is_a_growth_of_one() -> None:
    assert figures(100, 200, step=int(YEAR * 1e9))["cagr"] == pytest.approx(1.0)


def test_drawdown_is_measured_from_the_highest_so_far() -> None:
    assert drawdown(np.array([100.0, 120, 90, 150, 75])).tolist() == pytest.approx([0, 0, -0.25, 0, -0.5])


@pytest.mark.parametrize(
    "equity", [(100.0,), (100.0,) * 5, (100.0, 0.0, 0.0), (100.0, -50.0, 20.0), (1e-9, 1e12), (0.0, 0.0)]
)
@pytest.mark.parametrize("step", [1, DAY])
def test_every_figure_is_a_number_for_every_curve(equity: tuple[float, ...], step: int) -> None:
    assert all(math.isfinite(value) for value in figures(*equity, step=step).values())


def test_a_flat_curve_earns_and_risks_nothing() -> None:
    found = figures(100, 100, 100)
    assert {name for name, value in found.items() if value} == {"final_equity"}
