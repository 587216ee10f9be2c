"""The backtest: by hand, without look-ahead, conserving money to the cent, refusing what cannot be."""

from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.backtest.book import Account
from engine.backtest.checks import checked_weight
from engine.backtest.data import read_bars
from engine.backtest.result import BacktestSpec
from engine.backtest.simulation import Simulation, exact
from engine.domain.errors import ConfigurationError, StrategyError
from engine.domain.market import Timeframe
from tests.backtest.bars import MINUTE, START, backtest, random_walk, write_bars
from tests.shared_data import FOLDER, needs_shared_data


def test_by_hand(tmp_path: Path) -> None:
    """Up at bar 2: bought at bar 3's open of 12. Down at bar 4: sold at bar 5's open of 9.

    Sized at the close of 11 it would be 90 shares, but at 12 the 1000 dollars pay for 83.
    """
    path = write_bars(tmp_path / "T.parquet", [10, 10, 11, 12, 10, 9, 9], [10, 10, 10, 12, 12, 9, 9])
    result = backtest(path)
    [trade] = result.trades
    assert (trade.quantity, trade.entry_price, trade.exit_price, trade.pnl) == (83, 12, 9, -249)
    assert (trade.opened_at, trade.closed_at) == (START + 3 * MINUTE, START + 5 * MINUTE)
    assert trade.bars_held == 2
    assert result.equity == [1000, 1000, 1000, 1000, 834, 751, 751]
    assert result.position == [0, 0, 0, 83, 83, 0, 0]
    assert result.metrics["total_return"] == pytest.approx(-0.249)
    assert result.metrics["max_drawdown"] == pytest.approx(-0.249)
    assert result.metrics["exposure"] == pytest.approx(2 / 7)


def test_costs_are_paid(tmp_path: Path) -> None:
    path = write_bars(tmp_path / "T.parquet", [10, 10, 11, 12, 10, 9, 9], [10, 10, 10, 12, 12, 9, 9])
    dear = backtest(path, commission_per_share=0.01, commission_percent=0.1, slippage_bps=10)
    [trade] = dear.trades
    assert trade.entry_price == pytest.approx(12 * 1.001, abs=1e-4)
    assert trade.exit_price == pytest.approx(9 * 0.999, abs=1e-4)
    expected = trade.quantity * (0.02 + 0.001 * (trade.entry_price + trade.exit_price))
    assert dear.metrics["fees"] == pytest.approx(expected, rel=1e-6)
    assert dear.equity[-1] == pytest.approx(1000 + trade.pnl)


def test_an_order_takes_no_more_than_its_share_of_a_bar(tmp_path: Path) -> None:
    path = write_bars(tmp_path / "T.parquet", [10, 10, 11, 12, 13, 14, 15, 16], volume=200)
    result = backtest(path, participation=0.1)
    assert np.diff([0, *result.position]).max() <= 20
    assert result.position[3:6] == [20, 40, 60]


@pytest.mark.parametrize("strategy", [("sma-cross", {"fast": 5, "slow": 20}), ("rsi-reversion", {"length": 5})])
@pytest.mark.parametrize("allow_short", [True, False])
def test_the_future_does_not_reach_back(
    tmp_path: Path, strategy: tuple[str, dict[str, Any]], allow_short: bool
) -> None:
    name, parameters = strategy
    walk = random_walk(900)
    other = [*walk[:600], *(price * 3 for price in random_walk(300, 2))]
    one, two = (
        backtest(
            write_bars(tmp_path / f"{i}.parquet", w), strategy=name, parameters=parameters, allow_short=allow_short
        )
        for i, w in enumerate((walk, other))
    )
    assert one.equity[:600] == two.equity[:600]
    assert one.equity[600:] != two.equity[600:]


@pytest.mark.parametrize("allow_short", [True, False])
def test_equity_is_cash_and_position_and_trades_explain_it(tmp_path: Path, allow_short: bool) -> None:
    path = write_bars(tmp_path / "T.parquet", [*random_walk(2_000), *[100.0] * 50])
    result = backtest(
        path, capital=100_000.0, parameters={"fast": 3, "slow": 9}, allow_short=allow_short, slippage_bps=2,
        commission_per_share=0.005,
    )  # fmt: skip
    assert len(result.trades) > 50
    assert result.position[-1] == 0
    assert result.equity[-1] - 100_000 == pytest.approx(sum(trade.pnl for trade in result.trades), abs=1e-4)
    assert all(math.isfinite(value) for value in result.metrics.values())
    assert allow_short == any(position < 0 for position in result.position)


def test_a_run_without_trades_has_figures(tmp_path: Path) -> None:
    result = backtest(write_bars(tmp_path / "T.parquet", [10.0] * 50))
    assert result.trades == []
    assert set(result.metrics.values()) <= {0.0, 1000.0}


@needs_shared_data
def test_real_bars_and_longer_ones() -> None:
    spy = FOLDER / "bars_1min" / "SPY.parquet"
    minutes = backtest(spy, capital=1e5, parameters={"fast": 10, "slow": 30})
    hours = backtest(spy, capital=1e5, parameters={"fast": 2, "slow": 4}, timeframe=Timeframe.HOUR_1)
    assert len(hours.timestamps) < len(minutes.timestamps) / 30
    assert minutes.close[-1] == hours.close[-1]
    assert len(minutes.trades) > 20


@needs_shared_data
@pytest.mark.parametrize("name", ["bars_1min/BAC", "bars_1sec/IBM", "bars_1day/SPY", "crypto_bars_1min/BTCUSD"])
@pytest.mark.parametrize("strategy", ["sma-cross", "rsi-reversion", "buy-hold"])
def test_all_strategies_run_on_all_kinds_of_real_bars(name: str, strategy: str) -> None:
    symbol = "BTC/USD" if "crypto" in name else name[-3:]
    result = backtest(FOLDER / f"{name}.parquet", symbol=symbol, strategy=strategy, parameters={}, capital=1e5)
    assert all(math.isfinite(value) for value in result.metrics.values())
    assert max(result.position) > 0


@needs_shared_data
def test_buying_and_holding_earns_what_the_benchmark_does() -> None:
    result = backtest(FOLDER / "bars_1day" / "SPY.parquet", strategy="buy-hold", parameters={}, capital=1e6)
    assert result.metrics["total_return"] == pytest.approx(result.metrics["benchmark_return"], rel=0.02)
    assert result.metrics["max_drawdown"] == pytest.approx(-0.56, abs=0.01)  # March 2009, without dividends


def test_a_flip_ends_one_trade_and_begins_another_by_hand(tmp_path: Path) -> None:
    """Long from bar 3 (12), short from bar 5 (9), back to long at bar 7 (11)."""
    closes, opens = [10, 10, 11, 12, 10, 9, 11, 12, 13], [10, 10, 10, 12, 12, 9, 9, 11, 12]
    result = backtest(write_bars(tmp_path / "T.parquet", closes, opens), allow_short=True)
    long, short = result.trades
    assert (long.side, long.quantity, long.pnl) == ("long", 83, -249)
    # At bar 4's close of 10 there are 834 dollars: 83 shares short, sold at 9; bought back at 11.
    assert (short.side, short.quantity, short.entry_price, short.exit_price, short.pnl) == ("short", 83, 9, 11, -166)
    # 751 - 166 = 585 dollars pay for 53 shares at 11.
    assert result.position == [0, 0, 0, 83, 83, -83, -83, 53, 53]
    assert result.equity[-1] == 2 + 53 * 13


def test_an_order_that_is_filled_in_parts_is_one_trade(tmp_path: Path) -> None:
    closes = [10.0, 10, 11, 12, 13, 14, 15, 16, 15, 14, 13, 12, 11, 10, 9, 8]
    result = backtest(write_bars(tmp_path / "T.parquet", closes, volume=200), participation=0.1)
    [trade] = result.trades
    # Wanted 90; 20 a bar at the opens of 11, 12, 13, 14, then cash cuts the last part: 1000 - 20 * 50 = 0.
    assert result.position == [0, 0, 0, 20, 40, 60, 80, 80, 80, 60, 40, 20, 0, 0, 0, 0]
    assert (trade.quantity, trade.entry_price, trade.exit_price, trade.bars_held) == (80, 12.5, 13.5, 9)
    assert trade.pnl == 80


def simulate(path: Path, **changes: Any) -> Simulation:
    spec = BacktestSpec(strategy="sma-cross", symbol="TEST", path=str(path), **changes)
    bars = read_bars(path)
    rng = np.random.default_rng(7)
    weight = np.repeat(rng.choice([-1.0, -0.5, 0.0, 0.3, 1.0], len(bars) // 5 + 1), 5)[: len(bars)]
    simulation = Simulation(spec, bars, weight if spec.allow_short else np.maximum(weight, 0.0))
    simulation.go(lambda progress: None)
    return simulation


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("allow_short", [True, False])
def test_money_is_conserved_exactly(
    tmp_path: Path, seed: int, allow_short: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cash and position are the capital and the fills, to the last digit; without shorts nothing is overdrawn."""
    fills: list[tuple[Decimal, Decimal, Decimal]] = []
    walk = random_walk(1_500, seed)
    path = write_bars(tmp_path / "T.parquet", [round(price * 3, 2) for price in walk], volume=300)
    take = Account.take

    def watch(self: Account, fill: Any, bar: int) -> None:
        fills.append((fill.quantity * fill.order.side.sign, fill.price, fill.fee))
        take(self, fill, bar)
        assert allow_short or self.cash >= 0

    monkeypatch.setattr(Account, "take", watch)
    simulation = simulate(
        path, capital=50_000.0, allow_short=allow_short, slippage_bps=3.0, commission_per_share=0.005,
        commission_percent=0.01,
    )  # fmt: skip
    account = simulation.account
    assert len(fills) > 200
    assert account.quantity == sum(quantity for quantity, _, _ in fills)
    assert account.cash == 50_000 - sum(quantity * price + fee for quantity, price, fee in fills)
    assert account.fees == sum(fee for _, _, fee in fills)
    equity, position = simulation.curves()
    last = exact(read_bars(path).close[-1])
    assert position[-1] == account.quantity
    assert equity[-1] == pytest.approx(float(account.cash + account.quantity * last), rel=1e-12)
    assert all(quantity == quantity.to_integral_value() for quantity, _, _ in fills)


def test_crypto_is_bought_in_fractions(tmp_path: Path) -> None:
    path = write_bars(tmp_path / "T.parquet", [30_000.0, 30_000, 31_000, 32_000, 33_000])
    assert backtest(path, symbol="BTC/USD").position[-1] == pytest.approx(1000 / 31_000, rel=1e-3)
    shares = backtest(path, symbol="DEAR")
    assert max(shares.position) == 0
    assert any("less than one share" in warning for warning in shares.warnings)


def test_a_reader_is_warned(tmp_path: Path) -> None:
    rising = [10.0, 10, 11, 12, 13, 14]
    held = backtest(write_bars(tmp_path / "A.parquet", rising)).warnings
    assert held == ["90 were still held at the end, valued at the last close."]
    still = backtest(write_bars(tmp_path / "B.parquet", rising, volume=0.0)).warnings
    assert still == ["Orders for 76 were not filled by the last bar: the volume was too small."]
    late = backtest(write_bars(tmp_path / "C.parquet", [10.0, 10, 10, 11])).warnings
    assert late == ["The last target came at the last bar and was not traded."]
    falling = [10.0, 10, 9, 8, 40, 50, 60]
    ruined = backtest(write_bars(tmp_path / "D.parquet", falling), allow_short=True)
    assert any("below zero" in warning for warning in ruined.warnings)
    assert all(math.isfinite(value) for value in ruined.metrics.values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"capital": 0.0}, "capital"),
        ({"capital": math.nan}, "capital"),
        ({"slippage_bps": -1.0}, "slippage bps"),
        ({"commission_percent": math.inf}, "commission percent"),
        ({"participation": 1.5}, "participation"),
    ],
)
def test_impossible_assumptions_are_refused(tmp_path: Path, change: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        backtest(tmp_path / "unread.parquet", **change)


@pytest.mark.parametrize(
    ("weight", "said"), [([0.0, 1.5, 0.0], "bar 2"), ([0.0, 0.0, math.nan], "bar 3"), ([0.0], "1 targets")]
)
def test_targets_that_break_the_contract_are_refused(tmp_path: Path, weight: list[float], said: str) -> None:
    bars = read_bars(write_bars(tmp_path / "T.parquet", [10.0] * 3))
    strategy: Any = SimpleNamespace(name="broken", targets=lambda bars: SimpleNamespace(weight=np.array(weight)))
    with pytest.raises(StrategyError, match=said):
        checked_weight(strategy, bars)


def test_progress_goes_on_while_an_order_waits_for_volume(tmp_path: Path) -> None:
    """So that a run which can be cancelled at each report can be cancelled then too."""
    path = write_bars(tmp_path / "T.parquet", [10.0, 10, 11, *[12.0] * 5_000], volume=1.0)
    bars = read_bars(path)
    simulation = Simulation(
        BacktestSpec(strategy="buy-hold", symbol="T", path="", participation=0.001), bars, np.ones(len(bars))
    )
    told: list[float] = []
    simulation.go(lambda progress: told.append(progress.done))
    assert len(told) > 40
    assert all(a < b for a, b in pairwise(told))
