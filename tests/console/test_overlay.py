"""Indicators in the chart: drawn at their bars, read out, chosen by the menu."""

from __future__ import annotations

import numpy as np
import pytest

from console.charts.chart import Chart
from console.charts.overlay import KINDS
from engine.domain.market import Bar, IndicatorValues, Timeframe

pytestmark = pytest.mark.usefixtures("qapp")

MINUTE = 60 * 10**9
NUMBERS = (101.5, 102.5, 55.25, 0.125, 0.25, -0.125, 104.0, 101.5, 99.0, 1.75, 100.75)


def bars(count: int) -> list[Bar]:
    return [Bar("X", Timeframe.MINUTE_1, n * MINUTE, 100, 103, 98, 100 + n % 3, 5) for n in range(count)]


def values(first: int, last: int) -> list[IndicatorValues]:
    return [IndicatorValues("X", n * MINUTE, *NUMBERS) for n in range(first, last)]


def chart_with(count: int, first: int) -> Chart:
    chart = Chart()
    chart.resize(900, 500)
    chart.show()
    chart.set_bars(bars(count))
    chart.set_indicators(values(first, count))
    return chart


def test_lines_begin_where_values_begin_and_lie_on_their_bars() -> None:
    chart = chart_with(50, 20)
    x, y = chart.overlay._curves["sma"].getData()
    np.testing.assert_array_equal(x, np.arange(20, 50))
    assert set(y) == {101.5}
    chart.update_bars([Bar("X", Timeframe.MINUTE_1, 50 * MINUTE, 100, 103, 98, 101, 5)])
    chart.set_indicators(values(20, 51))
    assert chart.overlay._curves["sma"].getData()[0][-1] == 50
    chart.set_indicators([*values(0, 20), *values(45, 60)])
    np.testing.assert_array_equal(chart.overlay._curves["sma"].getData()[0], [*range(20), *range(45, 51)])


def test_only_what_is_chosen_is_drawn_and_read_out() -> None:
    chart = chart_with(50, 20)
    assert chart.overlay._curves["vwap"].isVisible()
    assert not chart.overlay._curves["bollinger_upper"].isVisible()
    assert "SMA 20" in chart._legend.text()
    assert "RSI" not in chart._legend.text()
    for kind in KINDS:
        chart.show_indicator(kind.name, True)
    assert all(curve.isVisible() for curve in chart.overlay._curves.values())
    assert "RSI 14</span> 55.25" in chart._legend.text()
    for kind in KINDS:
        chart.show_indicator(kind.name, False)
    assert not any(curve.isVisible() for curve in chart.overlay._curves.values())
    assert "<br>" not in chart._legend.text()
    assert not chart.grab().toImage().isNull()


def test_the_bar_under_the_crosshair_is_read_out_and_the_newest_when_it_has_no_values() -> None:
    chart = chart_with(50, 20)
    chart.set_indicators([*values(20, 49), IndicatorValues("X", 49 * MINUTE, 109.5, *NUMBERS[1:])])
    for position, expected in ((30, "101.50"), (49, "109.50"), (3, "109.50"), (None, "109.50")):
        chart._pointed = position
        chart._write_legend()
        assert expected in chart._legend.text()


def test_another_symbol_begins_without_lines() -> None:
    chart = chart_with(50, 20)
    chart.set_bars([])
    chart.set_indicators([])
    assert chart.overlay._curves["sma"].getData()[0] is None or not len(chart.overlay._curves["sma"].getData()[0])
    assert chart._legend.text() == ""
    chart.restyle()
