"""No strategy can see the future: its targets for a prefix of history are the prefix of its targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.errors import ConfigurationError
from engine.strategies.base import Bars
from engine.strategies.catalogue import build, catalogue
from tests.shared_data import FOLDER, needs_shared_data

CHOICES: list[tuple[str, dict[str, Any]]] = [
    ("sma-cross", {"fast": 2, "slow": 5}),
    ("sma-cross", {"fast": 3, "slow": 40, "band_bps": 5}),
    ("rsi-reversion", {"length": 3, "memory": 10}),
    ("rsi-reversion", {}),
    ("buy-hold", {"weight": 0.5}),
]


def bars_of(close: np.ndarray) -> Bars:
    timestamp = np.arange(len(close), dtype=np.int64) * 60_000_000_000
    return Bars(timestamp, close, close, close, close, np.ones(len(close)))


def test_every_strategy_is_held_to_it() -> None:
    assert {name for name, _ in CHOICES} == {entry.name for entry in catalogue()}


prices = st.lists(
    st.one_of(st.floats(0.01, 10_000), st.sampled_from([100.0, 100.0, 99.99, 100.01])), min_size=0, max_size=120
)


@pytest.mark.parametrize(("name", "parameters"), CHOICES)
@given(close=prices, share=st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_a_prefix_of_history_gives_a_prefix_of_targets(
    name: str, parameters: dict[str, Any], close: list[float], share: float
) -> None:
    strategy = build(name, parameters)
    bars = bars_of(np.array(close, dtype=np.float64))
    whole = strategy.targets(bars)
    cut = round(len(bars) * share)
    part = strategy.targets(bars[:cut])
    assert len(whole.weight) == len(whole.confidence) == len(bars)
    np.testing.assert_array_equal(part.weight, whole.weight[:cut])
    np.testing.assert_array_equal(part.confidence, whole.confidence[:cut])
    assert np.all((whole.weight >= -1) & (whole.weight <= 1))
    assert np.all((whole.confidence >= 0) & (whole.confidence <= 1))
    assert not whole.weight[: min(strategy.warmup - 1, len(bars))].any() or name in {"buy-hold", "rsi-reversion"}


@pytest.mark.parametrize(("name", "parameters"), CHOICES)
@given(close=st.lists(st.floats(90, 110), min_size=1, max_size=400))
@settings(max_examples=30, deadline=None)
def test_a_window_of_the_warm_up_is_all_that_counts(name: str, parameters: dict[str, Any], close: list[float]) -> None:
    strategy = build(name, parameters)
    bars = bars_of(np.array(close, dtype=np.float64))
    window = bars[max(len(bars) - strategy.warmup, 0) :]
    assert strategy.targets(window).weight[-1] == strategy.targets(bars).weight[-1]


@needs_shared_data
@pytest.mark.parametrize(("name", "parameters"), CHOICES)
def test_it_holds_on_real_bars(name: str, parameters: dict[str, Any]) -> None:
    frame = polars.read_parquet(FOLDER / "bars_1min" / "SPY.parquet").head(1_500)
    columns = [frame[column].to_numpy().astype(np.float64) for column in ("open", "high", "low", "close", "volume")]
    bars = Bars(frame["timestamp"].dt.timestamp("ns").to_numpy(), *columns)
    strategy = build(name, parameters)
    whole = strategy.targets(bars)
    for cut in range(1, len(bars), 37):
        part = strategy.targets(bars[:cut])
        assert part.weight[-1] == whole.weight[cut - 1]
        assert part.confidence[-1] == whole.confidence[cut - 1]
    if name != "buy-hold":
        assert 0 < np.count_nonzero(whole.weight > 0) < len(bars)


def test_parameters_may_be_text_and_are_held_to_their_range() -> None:
    assert build("sma-cross", {"fast": "5", "slow": "9"}).warmup == 9
    with pytest.raises(ConfigurationError, match="fast"):
        build("sma-cross", {"fast": 0})
    with pytest.raises(ConfigurationError, match="must be below"):
        build("sma-cross", {"fast": 50, "slow": 9})
    with pytest.raises(ConfigurationError, match="no parameter speed"):
        build("sma-cross", {"speed": 1})
    with pytest.raises(ConfigurationError, match="There is no strategy"):
        build("moon", {})
