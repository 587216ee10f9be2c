"""Chart data: bars are replaced and added in place; only what is in sight is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from console.charts.series import BarSeries
from engine.domain.market import Bar, Timeframe
from engine.views import FillRow

pytestmark = pytest.mark.usefixtures("qapp")


def bar(minute: int, close: float = 100.0) -> Bar:
    return Bar("X", Timeframe.MINUTE_1, minute * 60 * 10**9, 100.0, max(close, 100.0), min(close, 100.0), close, 5.0)


def test_the_last_bar_is_replaced_and_later_ones_are_added() -> None:
    series = BarSeries()
    series.set([bar(1), bar(2)])
    assert not series.update([bar(2)])
    assert series.update([bar(2, 101.0)])
    assert series.update([bar(2, 102.0), bar(3)])
    np.testing.assert_array_equal(series.column("close"), [100.0, 102.0, 100.0])
    assert series.last_start == 3 * 60 * 10**9


def test_it_grows_beyond_its_first_size_and_keeps_everything() -> None:
    series = BarSeries()
    for minute in range(5_000):
        series.update([bar(minute, float(100 + minute))])
    assert len(series) == 5_000
    assert series.column("close")[4_321] == 4_421.0


def test_a_hundred_thousand_bars_are_drawn_and_marked() -> None:
    from console.charts.chart import Chart

    chart = Chart()
    chart.resize(900, 500)
    chart.show()
    chart.set_bars([bar(minute, 100.0 + minute % 7) for minute in range(100_000)])
    chart.set_fills(
        [
            FillRow(
                execution_id="1", timestamp=99_990 * 60 * 10**9, symbol="X", side="buy", quantity=1, price=101,
                sleeve="s", client_order_id="c",
            )
        ]
    )  # fmt: skip
    near = chart.grab().toImage()
    chart._prices.setXRange(0, 100_000)
    far = chart.grab().toImage()
    for picture in (near, far):
        colours = {picture.pixel(x, y) for x in range(0, 800, 3) for y in range(0, 480, 3)}
        assert len(colours) > 5
    assert chart._marks.data["x"][0] == 99_990
    assert chart._last.label.toPlainText() == "104.00"
    chart.set_bars([])
    chart.set_bars([bar(1, 103.5)])
    assert chart._last.label.toPlainText() == "103.50"
