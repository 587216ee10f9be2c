"""Run a strategy on history, bar by bar, through the matching engine of the local exchange.

The targets of all bars are computed at once, which the prefix property makes honest. A target that changes at a bar's
close becomes orders that meet the *next* bar: market orders at its open, with slippage, commission and a share of its
volume; what a bar does not fill goes on to the one after. Bars without an order are not looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

import numpy as np

from engine.backtest.book import Account
from engine.backtest.data import read_bars
from engine.backtest.metrics import measure
from engine.backtest.result import BacktestResult, BacktestSpec, Progress
from engine.domain.errors import DataError
from engine.domain.market import Bar, Timeframe, is_crypto
from engine.domain.orders import Side
from engine.exchange.fills import BacktestFill
from engine.exchange.matching import MatchingEngine
from engine.exchange.orders import NewOrder
from engine.strategies.base import Bars, FloatArray
from engine.strategies.catalogue import build, catalogue

WHOLE, COIN = Decimal(1), Decimal("0.000001")
REPORT_EVERY = 0.02
"""Share of the run between two reports of progress."""

OnProgress = Callable[[Progress], None]


def run(spec: BacktestSpec, on_progress: OnProgress, run_id: str, created_at: int) -> BacktestResult:
    """`created_at` in int nanoseconds UTC. Raises DataError and ConfigurationError; what `on_progress` raises ends it."""
    strategy = build(spec.strategy, spec.parameters)
    on_progress(Progress(done=0.0, stage="reading data"))
    bars = read_bars(Path(spec.path), spec.start, spec.end, spec.timeframe)
    if len(bars) <= strategy.warmup:
        raise DataError(
            f"{len(bars)} bars are too few: {spec.strategy} needs more than {strategy.warmup} to begin.",
            "Choose more days or shorter bars.",
        )
    on_progress(Progress(done=0.05, stage="asking the strategy"))
    weight = strategy.targets(bars).weight
    simulation = Simulation(spec, bars, weight if spec.allow_short else np.maximum(weight, 0.0))
    simulation.go(on_progress)
    on_progress(Progress(done=0.97, stage="measuring"))
    equity, position = simulation.curves()
    benchmark = spec.capital * bars.close / bars.open[0]
    peak = np.maximum.accumulate(equity)
    account = simulation.account
    title = next(entry.title for entry in catalogue() if entry.name == spec.strategy)
    return BacktestResult(
        run_id=run_id,
        spec=spec,
        created_at=created_at,
        title=f"{title} on {spec.symbol}",
        timestamps=bars.timestamp.tolist(),
        equity=equity.tolist(),
        benchmark=benchmark.tolist(),
        drawdown=np.where(peak > 0, equity / peak - 1, 0.0).tolist(),
        position=position.tolist(),
        close=bars.close.tolist(),
        trades=account.trades,
        metrics=measure(bars.timestamp, equity, benchmark, position, account),
        warnings=simulation.warnings,
    )


class Simulation:
    """One account, one symbol, one row of target weights."""

    def __init__(self, spec: BacktestSpec, bars: Bars, weight: FloatArray) -> None:
        self.account = Account(Decimal(repr(spec.capital)))
        self.warnings: list[str] = []
        self._spec = spec
        self._bars = bars
        self._weight = weight
        self._step = COIN if is_crypto(spec.symbol) else WHOLE
        self._matching = MatchingEngine(
            BacktestFill(
                slippage_bps=Decimal(repr(spec.slippage_bps)),
                commission_per_share=Decimal(repr(spec.commission_per_share)),
                commission_percent=Decimal(repr(spec.commission_percent)),
                participation=Decimal(repr(spec.participation)),
            ),
            execution_id=self._next_execution,
        )
        self._orders = 0
        self._executions = 0
        self._changes: list[tuple[int, float, float]] = []
        """(bar, cash, quantity) after each bar that filled something."""

    def go(self, on_progress: OnProgress) -> None:
        changes = np.flatnonzero(np.diff(self._weight, prepend=0.0))
        last = len(self._bars) - 1
        next_report = REPORT_EVERY
        for number, bar in enumerate(changes.tolist()):
            if bar == last:
                self.warnings.append("The last target came at the last bar and was not traded.")
                break
            self._order(bar)
            until = int(changes[number + 1]) if number + 1 < len(changes) else last
            at = bar + 1
            while at <= until and len(self._matching):
                self._fill(at)
                at += 1
            share = min(at / last, 1.0)
            if share >= next_report:
                next_report = share + REPORT_EVERY
                on_progress(Progress(done=0.05 + 0.9 * share, stage="trading"))
        if self.account.quantity:
            self.warnings.append(f"{self.account.quantity} were still held at the end, valued at the last close.")

    def curves(self) -> tuple[FloatArray, FloatArray]:
        """Equity and position after each bar."""
        count = len(self._bars)
        cash, position = np.full(count, self._spec.capital), np.zeros(count)
        for bar, money, quantity in self._changes:
            cash[bar:], position[bar:] = money, quantity
        return cash + position * self._bars.close, position

    def _order(self, bar: int) -> None:
        """Cancel what has not been filled, then ask for the way from what is held to the target."""
        for working in list(self._matching):
            self._matching.cancel(working.order.order_id, int(self._bars.timestamp[bar]))
        price = Decimal(repr(float(self._bars.close[bar])))
        equity = self.account.cash + self.account.quantity * price
        # Room for slippage and commission, so that a whole weight does not spend more than there is.
        cost = price * (
            1 + Decimal(repr(self._spec.slippage_bps)) / 10_000 + Decimal(repr(self._spec.commission_percent)) / 100
        )
        cost += Decimal(repr(self._spec.commission_per_share))
        weight = Decimal(repr(float(self._weight[bar])))
        wanted = (max(equity, Decimal(0)) * weight / cost).quantize(self._step, ROUND_DOWN)
        held = self.account.quantity
        if held * wanted < 0:
            self._submit(-held)
            held = Decimal(0)
        self._submit(wanted - held)

    def _submit(self, change: Decimal) -> None:
        if change == 0:
            return
        self._orders += 1
        side = Side.BUY if change > 0 else Side.SELL
        order = NewOrder(order_id=str(self._orders), symbol=self._spec.symbol, side=side, quantity=abs(change))
        # Into the book without meeting the bar that the decision was made on.
        self._matching.restore(order, Decimal(0))

    def _fill(self, bar: int) -> None:
        b = self._bars
        shape = Bar(
            self._spec.symbol, Timeframe.MINUTE_1, int(b.timestamp[bar]), float(b.open[bar]), float(b.high[bar]),
            float(b.low[bar]), float(b.close[bar]), float(b.volume[bar]),
        )  # fmt: skip
        filled = [update for update in self._matching.on_bar(shape) if update.kind.is_fill]
        for update in filled:
            self.account.take(update, bar)
        if filled:
            self._changes.append((bar, float(self.account.cash), float(self.account.quantity)))

    def _next_execution(self) -> str:
        self._executions += 1
        return str(self._executions)
