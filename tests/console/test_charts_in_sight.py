"""What a chart draws and says: only bars in sight, round times, the bar under the crosshair, every fill."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication

from console.charts import candles
from console.charts.axes import BarTimeAxis
from console.charts.chart import Chart
from console.charts.overlay import KINDS
from console.charts.series import BarSeries
from console.panels.trading import Trading
from console.tasks import Tasks
from console.widgets.choices import remembered
from engine.domain.errors import DataError
from engine.domain.market import NANOSECONDS, Bar, Timeframe
from engine.views import FillRow
from tests.console.conftest import Run
from tests.console.scripted_engine import ScriptedEngine
from tests.waiting import until

NEW_YORK = ZoneInfo("America/New_York")


def walk(count: int, start: int = 1_381_152_600, step: int = 60, price: float = 100.0) -> list[Bar]:
    """Minute bars from 2013-10-07 09:30 in New York on."""
    chance = random.Random(7)
    bars = []
    for number in range(count):
        close = price * (1 + chance.gauss(0, 0.001))
        high, low = max(price, close), min(price, close)
        bars.append(
            Bar(
                "X",
                Timeframe.MINUTE_1,
                (start + number * step) * NANOSECONDS,
                price,
                high,
                low,
                close,
                5.0 + number % 9,
            )
        )
        price = close
    return bars


def shown(bars: list[Bar]) -> Chart:
    chart = Chart()
    chart.resize(900, 500)
    chart.show()
    chart.set_bars(bars)
    return chart


@pytest.fixture
def drawn(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """(first, end, bars drawn as one) of every picture of the candles."""
    seen: list[tuple[int, int, int]] = []
    real = candles._grouped

    def spy(series: BarSeries, first: int, end: int, group: int) -> object:
        seen.append((first, end, group))
        return real(series, first, end, group)

    monkeypatch.setattr(candles, "_grouped", spy)
    return seen


def test_of_a_hundred_thousand_bars_only_those_in_sight_are_drawn(drawn: list[tuple[int, int, int]]) -> None:
    chart = shown(walk(100_000))
    drawn.clear()
    chart._prices.setXRange(50_000, 50_100, padding=0)
    chart.grab()
    first, end, group = drawn[-1]
    assert group == 1
    assert 49_990 <= first <= 50_000
    assert 50_101 <= end <= 50_120


def test_bars_narrower_than_a_pixel_are_drawn_as_one_at_places_that_do_not_move(
    drawn: list[tuple[int, int, int]],
) -> None:
    chart = shown(walk(100_000))
    for left in (0, 10_003):
        drawn.clear()
        chart._prices.setXRange(left, left + 80_000, padding=0)
        chart.grab()
        first, end, group = drawn[-1]
        assert (end - first) / group < 1_000
        assert first % group == 0


def test_grouped_bars_keep_the_extremes_the_first_open_and_the_last_close() -> None:
    series = BarSeries()
    bars = walk(10)
    series.set(bars)
    x, opening, high, low, close = candles._grouped(series, 0, 10, 4)
    assert x.tolist() == [0.0, 4.0, 8.0]
    assert opening.tolist() == [bars[0].open, bars[4].open, bars[8].open]
    assert close.tolist() == [bars[3].close, bars[7].close, bars[9].close]
    assert high.tolist() == [max(b.high for b in part) for part in (bars[:4], bars[4:8], bars[8:])]
    assert low.tolist() == [min(b.low for b in part) for part in (bars[:4], bars[4:8], bars[8:])]


@pytest.mark.parametrize("count", [0, 1])
def test_no_bar_and_one_bar_are_drawn_without_complaint(qapp: QApplication, count: int) -> None:
    chart = shown(walk(count))
    chart.grab()
    chart._move_cross(chart._prices.sceneBoundingRect().center())
    chart.set_bars([])
    chart.grab()


def test_the_legend_stays_on_the_bar_under_the_crosshair_while_prices_move(qapp: QApplication) -> None:
    bars = walk(100)
    chart = shown(bars)
    chart.grab()
    newest = chart._legend.text()
    place = chart._prices.vb.mapViewToScene(QPointF(40.0, bars[40].close))
    chart._move_cross(place)
    pointed = chart._legend.text()
    assert pointed != newest
    last = bars[-1]
    chart.update_bars([Bar("X", last.timeframe, last.timestamp, last.open, 200.0, last.low, 150.0, 9.0)])
    assert chart._legend.text() == pointed
    chart._hide_cross()
    assert "150.00" in chart._legend.text()


def test_the_legend_and_what_the_chart_says_can_be_seen(qapp: QApplication) -> None:
    chart = shown(walk(100))
    qapp.processEvents()
    with_legend = chart.grab().toImage()
    chart._legend.hide()
    bare = chart.grab().toImage()
    assert with_legend != bare
    chart.say("The feed has been silent for 12 s.")
    assert chart.grab().toImage() != bare
    chart.say("")
    assert chart.grab().toImage() == bare


def test_the_newest_is_followed_until_the_chart_is_moved_away(qapp: QApplication) -> None:
    bars = walk(400)
    chart = shown(bars[:300])

    def right() -> float:
        return float(chart._prices.vb.viewRange()[0][1])

    before = right()
    chart.update_bars(bars[300:310])
    assert right() == before + 10
    chart._prices.setXRange(20, 120, padding=0)
    chart._moved_by_hand()
    chart.update_bars(bars[310:320])
    assert right() == 120
    chart._prices.setXRange(250, 330, padding=0)
    chart._moved_by_hand()
    before = right()
    chart.update_bars(bars[320:])
    assert right() > before


def test_prices_below_a_dollar_keep_four_digits(qapp: QApplication) -> None:
    chart = shown(walk(5, price=0.1234))
    assert chart._last.label.format == "{value:,.4f}"


def test_times_are_labelled_at_round_ones_and_a_new_day_by_its_date(qapp: QApplication) -> None:
    series = BarSeries()
    day = 86_400
    series.set(walk(390) + walk(390, start=1_381_152_600 + day))
    axis = BarTimeAxis(series)
    ((_, ticks),) = axis.tickValues(0, 780, 900)
    texts = axis.tickStrings(ticks, 1.0, 1.0)
    assert 3 <= len(texts) <= 10
    assert texts[ticks.index(390.0)] == "08 Oct"
    times = [
        datetime.fromtimestamp(float(series.column("time")[int(tick)]), UTC).astimezone(NEW_YORK)
        for tick, text in zip(ticks, texts, strict=True)
        if ":" in text
    ]
    assert times
    assert all(at.minute == 0 for at in times)


def test_a_year_of_days_and_seconds_have_labels_of_their_kind(qapp: QApplication) -> None:
    series = BarSeries()
    series.set(walk(365, start=1_356_998_400, step=86_400))
    axis = BarTimeAxis(series)
    ((_, ticks),) = axis.tickValues(0, 365, 900)
    assert 2 < len(ticks) <= 10
    series.set(walk(60, step=1))
    ((_, ticks),) = axis.tickValues(0, 60, 900)
    assert [text[-2:] for text in axis.tickStrings(ticks, 1.0, 1.0)] == ["15", "30", "45"]


def _fill(number: int) -> FillRow:
    return FillRow(
        execution_id=str(number), timestamp=10**18 + number * NANOSECONDS, symbol="SPY", side="buy", quantity=1,
        price=100.0, sleeve="s", client_order_id="c",
    )  # fmt: skip


def test_new_fills_are_marked_when_the_table_has_dropped_old_ones(run: Run) -> None:
    engine = ScriptedEngine()
    engine.views.fills.capacity = 3
    for number in range(3):
        engine.views.fills.put(str(number), _fill(number))

    async def main() -> None:
        tasks = Tasks(lambda *said: None)
        panel = Trading(engine, tasks, lambda *said: None)
        panel.show_symbol("SPY")
        await until(lambda: len(panel.chart.series))
        panel.refresh()
        assert len(panel.chart._marks.data) == 3
        engine.views.fills.put("7000", _fill(7000))
        panel.refresh()
        assert panel.chart._marks.data["x"].max() == panel.chart.series.position_of(10**9 + 7000)
        await tasks.close()

    run(main())


def test_history_that_cannot_be_read_is_told_and_live_bars_still_come(run: Run) -> None:
    engine = ScriptedEngine()

    async def damaged(symbol: str, timeframe: Timeframe, limit: int = 500) -> list[Bar]:
        raise DataError("The history is damaged.", "Delete it.")

    engine.history = damaged  # type: ignore[method-assign]
    engine.live_bars = lambda symbol, timeframe, after: walk(2)  # type: ignore[method-assign]

    async def main() -> None:
        tasks = Tasks(lambda *said: None)
        panel = Trading(engine, tasks, lambda *said: None)
        panel.show_symbol("SPY")
        await until(lambda: "damaged" in panel.chart._overlay.text())
        panel.refresh()
        panel.tick()
        assert len(panel.chart.series) == 2
        assert panel.chart._overlay.text() == ""
        await asyncio.sleep(0)
        await tasks.close()

    run(main())


def test_the_menu_of_indicators_acts_on_the_chart_is_remembered_and_says_where_there_are_none(run: Run) -> None:
    engine = ScriptedEngine()

    async def main() -> None:
        tasks = Tasks(lambda *said: None)
        panel = Trading(engine, tasks, lambda *said: None)
        actions = {action.objectName(): action for action in remembered(panel)}
        assert set(actions) == {f"trading.indicators.{kind.name}" for kind in KINDS}
        for kind in KINDS:
            actions[f"trading.indicators.{kind.name}"].setChecked(kind.name == "rsi")
        assert set(panel.chart.overlay.shown) == {"rsi"}
        panel.show_symbol("SPY")
        for timeframe, has_values in ((Timeframe.SECOND_1, False), (Timeframe.HOUR_4, True)):
            panel._buttons[timeframe].click()
            menu = panel._indicators
            assert (menu.isEnabled(), "no indicators" in menu.toolTip()) == (has_values, not has_values)
        await asyncio.sleep(0)
        await tasks.close()

    run(main())
