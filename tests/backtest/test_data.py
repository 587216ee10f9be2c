"""Bars from files: what is refused, by row, and what is read alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest

from engine.backtest.data import read_bars, resample
from engine.domain.errors import ConfigurationError, DataError
from engine.domain.market import Timeframe
from tests.backtest.bars import MINUTE, START, backtest, random_walk, write_bars


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"close": [10.0, None, 10.0]}, "row 2: close"),
        ({"close": [10.0, -1.0, 10.0], "low": [9.0, -1.0, 9.0]}, "row 2: low is not above zero"),
        ({"timestamp": [1, 3, 2]}, "row 3: it is older"),
        ({"timestamp": [1, 2, 2]}, "row 3: the same timestamp"),
        ({"high": [11.0, 9.0, 11.0]}, "row 2: high is below"),
        ({"volume": [1.0, 1.0, -1.0]}, "volume"),
        ({"close": ["10", "y", "z"]}, "row 2: close is missing or not a number"),
        ({"timestamp": [1, None, 3]}, "row 2: timestamp is missing"),
        ({"timestamp": ["2024-01-02T14:30:00Z", "soon", "later"]}, "row 2: timestamp is missing or not a time"),
        ({"open": [[1.0], [2.0], [3.0]]}, "cannot be read as bars"),
        ({"volume": [float("inf")] * 3}, "row 1: volume is missing"),
        ({"close": None}, "no column close"),
    ],
)
def test_bad_bars_are_refused_by_row(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    columns: dict[str, Any] = {
        "timestamp": [1, 2, 3], "open": [10.0] * 3, "high": [11.0] * 3, "low": [9.0] * 3, "close": [10.0] * 3,
        "volume": [1.0] * 3, **change,
    }  # fmt: skip
    path = tmp_path / "T.parquet"
    polars.DataFrame({name: values for name, values in columns.items() if values is not None}).write_parquet(path)
    with pytest.raises(DataError, match=said) as caught:
        backtest(path)
    assert caught.value.remedy


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "T.parquet").write_bytes(b"garbage")
    for path in (tmp_path / "T.parquet", tmp_path / "absent.csv"):
        with pytest.raises(DataError):
            backtest(path)
    path = write_bars(tmp_path / "U.parquet", random_walk(100))
    with pytest.raises(DataError, match="between these dates"):
        backtest(path, start="2030-01-01")
    with pytest.raises(ConfigurationError, match="not a date"):
        backtest(path, start="tomorrow")
    with pytest.raises(DataError, match="too few"):
        backtest(path, parameters={"fast": 10, "slow": 200})


ROW = ",10,11,9,10,100"


@pytest.mark.parametrize(
    "first", ["1700000040", "1700000040000", "1700000040000000", "1700000040000000000", "2023-11-14T22:14:00Z",
              "2023-11-14 22:14:00", "2023-11-14T23:14:00+01:00"]
)  # fmt: skip
def test_a_time_is_the_same_however_it_is_written(tmp_path: Path, first: str) -> None:
    path = tmp_path / "T.csv"
    path.write_text(f"timestamp,open,high,low,close,volume\n{first}{ROW}\n")
    assert read_bars(path).timestamp.tolist() == [START]


def test_days_are_read_from_dates(tmp_path: Path) -> None:
    path = tmp_path / "T.csv"
    path.write_text(f"timestamp,open,high,low,close,volume\n1970-01-02{ROW}\n1970-01-03{ROW}\n1970-01-04{ROW}\n")
    day = 86_400 * 10**9
    assert read_bars(path).timestamp.tolist() == [day, 2 * day, 3 * day]
    assert read_bars(path, "1970-01-03", "1970-01-03").timestamp.tolist() == [2 * day]


def test_a_file_with_a_heading_only_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "T.csv"
    path.write_text("timestamp,open,high,low,close,volume\n")
    with pytest.raises(DataError, match="no rows"):
        read_bars(path)


def test_longer_bars_hold_what_the_short_ones_held(tmp_path: Path) -> None:
    bars = read_bars(write_bars(tmp_path / "T.parquet", random_walk(1_000)))
    longer = resample(bars, Timeframe.MINUTE_15)
    assert longer.volume.sum() == bars.volume.sum()
    first = (bars.timestamp >= longer.timestamp[1]) & (bars.timestamp < longer.timestamp[2])
    part = bars[int(np.argmax(first)) : int(np.argmax(first)) + 15]
    assert (longer.open[1], longer.close[1]) == (part.open[0], part.close[-1])
    assert (longer.high[1], longer.low[1]) == (part.high.max(), part.low.min())
    assert set(np.diff(longer.timestamp)) == {15 * MINUTE}
    with pytest.raises(ConfigurationError, match="longer than 1m"):
        resample(longer, Timeframe.MINUTE_1)
