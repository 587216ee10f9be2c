"""Indicators equal TA-Lib's over the whole series, whatever the batches, and refuse what cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.errors import ConfigurationError, DataError
from engine.domain.market import NANOSECONDS, Bar, Timeframe
from engine.market.indicators.parameters import NAMES, IndicatorParameters
from engine.market.indicators.series import simple_mean
from engine.market.indicators.table import FloatArray, IndicatorTable
from tests.shared_data import FOLDER, needs_shared_data

MINUTE = 60 * NANOSECONDS
DEFAULT = IndicatorParameters()
OTHERS = IndicatorParameters(
    sma=5, ema=30, rsi=7, macd_fast=5, macd_slow=34, macd_signal=5, bollinger=12, bollinger_width=1.5, atr=21
)
RECORDED = ("bars_1min/SPY", "bars_1min/IBM", "bars_1min/AIG", "bars_1min/BAC", "bars_1sec/SPY", "bars_1day/AAPL")


def recorded(name: str) -> list[Bar]:
    frame = pl.read_parquet(FOLDER / f"{name}.parquet").with_columns(pl.col("timestamp").dt.timestamp("ns"))
    columns = ("timestamp", "open", "high", "low", "close", "volume")
    return [Bar("SPY", Timeframe.MINUTE_1, *row) for row in frame.select(columns).iter_rows()]


def over(bars: list[Bar], parameters: IndicatorParameters = DEFAULT, batch: int = 0) -> FloatArray:
    table = IndicatorTable(parameters)
    size = batch or max(len(bars), 1)
    parts = [bars[i : i + size] for i in range(0, len(bars), size)]
    return np.concatenate(
        [table.take(part, [bar.timestamp // (86_400 * NANOSECONDS) for bar in part]) for part in parts]
    )


def by_talib(bars: list[Bar], p: IndicatorParameters) -> Iterator[tuple[str, FloatArray]]:
    high, low, close = (np.array([getattr(bar, name) for bar in bars]) for name in ("high", "low", "close"))
    yield "sma", talib.SMA(close, p.sma)
    yield "ema", talib.EMA(close, p.ema)
    yield "rsi", talib.RSI(close, p.rsi)
    macd = talib.MACD(close, p.macd_fast, p.macd_slow, p.macd_signal)
    yield from zip(("macd", "macd_signal", "macd_histogram"), macd, strict=True)
    bands = talib.BBANDS(close, p.bollinger, p.bollinger_width, p.bollinger_width)
    yield from zip(("bollinger_upper", "bollinger_middle", "bollinger_lower"), bands, strict=True)
    yield "atr", talib.ATR(high, low, close, p.atr)


@needs_shared_data
@pytest.mark.parametrize("parameters", [DEFAULT, OTHERS], ids=["default", "others"])
@pytest.mark.parametrize("name", RECORDED)
def test_each_indicator_equals_talib_over_the_whole_series(name: str, parameters: IndicatorParameters) -> None:
    bars = recorded(name)
    values = over(bars, parameters)
    for column, theirs in by_talib(bars, parameters):
        ours = values[:, NAMES.index(column)]
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs), err_msg=column)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9, err_msg=column)


@needs_shared_data
def test_vwap_is_the_sessions_notional_over_its_volume() -> None:
    bars = recorded("bars_1min/SPY")
    values = over(bars)[:, NAMES.index("vwap")]
    for day in {bar.timestamp // (86_400 * NANOSECONDS) for bar in bars}:
        rows = [i for i, bar in enumerate(bars) if bar.timestamp // (86_400 * NANOSECONDS) == day]
        price = np.array([(bars[i].high + bars[i].low + bars[i].close) / 3 for i in rows])
        volume = np.array([bars[i].volume for i in rows])
        np.testing.assert_allclose(values[rows], np.cumsum(price * volume) / np.cumsum(volume), rtol=1e-12)


def test_vwap_weighs_the_price_at_which_a_bar_was_traded_where_that_is_known() -> None:
    bars = [bar(0, 100.0, volume=10, vwap=99.0), bar(1, 200.0, volume=30, vwap=199.0)]
    assert IndicatorTable().take(bars, [0, 0])[1, NAMES.index("vwap")] == (99.0 * 10 + 199.0 * 30) / 40


def bar(minute: int, close: float, symbol: str = "SPY", volume: float = 1.0, vwap: float = 0.0) -> Bar:
    return Bar(symbol, Timeframe.MINUTE_1, minute * MINUTE, close, close + 0.25, close - 0.25, close, volume, 1, vwap)


tapes = st.lists(st.tuples(st.sampled_from(["SPY", "IBM", "BTC/USD"]), st.floats(1, 1_000)), min_size=1, max_size=150)


@given(tapes, st.lists(st.integers(0, 150), max_size=6))
@settings(deadline=None)
def test_values_have_the_same_bits_however_the_bars_are_cut_into_batches(
    tape: list[tuple[str, float]], cuts: list[int]
) -> None:
    bars = [bar(minute, close, symbol) for minute, (symbol, close) in enumerate(tape)]
    whole, alone = IndicatorTable().take(bars, [0] * len(bars)), IndicatorTable()
    edges = sorted({0, len(bars), *(cut for cut in cuts if cut < len(bars))})
    parts = [alone.take(bars[a:b], [0] * (b - a)) for a, b in pairwise(edges)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    for symbol in {symbol for symbol, _ in tape}:
        mine = [one for one in bars if one.symbol == symbol]
        rows = [i for i, one in enumerate(bars) if one.symbol == symbol]
        assert IndicatorTable().take(mine, [0] * len(mine)).tobytes() == whole[rows].tobytes()


@given(st.lists(st.floats(1, 1_000), min_size=1, max_size=80), st.integers(2, 30))
@settings(deadline=None)
def test_the_mean_on_the_chart_has_the_bits_of_the_mean_that_a_strategy_uses(close: list[float], length: int) -> None:
    ours = over([bar(minute, price) for minute, price in enumerate(close)], IndicatorParameters(sma=length))
    np.testing.assert_array_equal(ours[:, NAMES.index("sma")], simple_mean(np.array(close), length))


@needs_shared_data
def test_after_the_warm_up_no_value_tells_where_history_began() -> None:
    bars = recorded("bars_1min/SPY")
    whole, late = over(bars), over(bars[1_000:])
    until_vwap = NAMES.index("vwap")
    ours = late[DEFAULT.warm_up :, :until_vwap]
    np.testing.assert_allclose(ours, whole[1_000 + DEFAULT.warm_up :, :until_vwap], rtol=1e-9, atol=1e-9)
    assert not np.isnan(over(bars[: DEFAULT.lookback])[-1]).any()


def test_prices_that_never_move_have_an_rsi_of_50_and_bands_of_no_width() -> None:
    values = over([bar(minute, 10.0) for minute in range(60)])[-1]
    named = dict(zip(NAMES, values.tolist(), strict=True))
    assert (named["rsi"], named["macd"]) == (50.0, 0.0)
    assert named["bollinger_upper"] == named["bollinger_lower"] == named["sma"] == 10.0


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("close", float("nan"), "missing or not finite"),
        ("high", float("inf"), "missing or not finite"),
        ("low", -1.0, "prices cannot be"),
        ("high", 9.0, "prices cannot be"),
        ("volume", -1.0, "negative"),
        ("timestamp", 0, "not later"),
    ],
)
def test_a_bar_that_cannot_be_is_refused_whole_and_changes_nothing(field: str, value: float, said: str) -> None:
    table, untouched = IndicatorTable(), IndicatorTable()
    for each in (table, untouched):
        each.take([bar(0, 10.0)], [0])
    fields = dict.fromkeys(("high", "low", "close", "volume", "timestamp"))
    good = bar(1, 11.0)
    fields = {name: getattr(good, name) for name in fields} | {field: value}
    bad = Bar(
        "SPY", Timeframe.MINUTE_1, int(fields["timestamp"] or 0), 11.0, fields["high"], fields["low"], fields["close"],
        fields["volume"],
    )  # fmt: skip
    with pytest.raises(DataError, match=f"SPY is refused.*{said}"):
        table.take([bar(0, 5.0, "IBM"), bad], [0, 0])
    assert table.count("IBM") == 0
    assert table.take([good], [0]).tobytes() == untouched.take([good], [0]).tobytes()


def test_a_symbol_that_left_and_came_back_begins_anew_and_hundreds_find_room() -> None:
    table = IndicatorTable()
    many = [bar(0, 10.0 + i, f"S{i}") for i in range(300)]
    table.take(many, [0] * 300)
    table.forget("S7")
    assert (table.count("S7"), table.count("S8")) == (0, 1)
    table.take([bar(0, 10.0, "S7")], [0])
    assert table.count("S7") == 1


def test_a_macd_whose_fast_length_is_not_below_the_slow_one_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="fast length"):
        IndicatorParameters(macd_fast=26, macd_slow=26)
