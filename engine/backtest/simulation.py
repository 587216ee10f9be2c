"""One account, one symbol and a row of target weights, bar by bar through the exchange's matching engine."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal

import numpy as np

from engine.backtest.book import ZERO, Account
from engine.backtest.result import BacktestSpec, Progress
from engine.domain.market import Bar, Timeframe, is_crypto
from engine.domain.orders import Side
from engine.exchange.fills import BacktestFill
from engine.exchange.matching import MatchingEngine
from engine.exchange.orders import NewOrder
from engine.strategies.base import Bars, FloatArray

WHOLE, COIN = Decimal(1), Decimal("0.000001")
REPORT_EVERY = 0.02
"""Share of the run between two reports of progress."""

OnProgress = Callable[[Progress], None]


class Simulation:
    """An order fills as far as the bar's volume and, when it buys, the cash allow: nothing is bought on credit."""

    def __init__(self, spec: BacktestSpec, bars: Bars, weight: FloatArray) -> None:
        self.account = Account(exact(spec.capital))
        self._spec = spec
        self._bars = bars
        self._weight = weight
        self._step = COIN if is_crypto(spec.symbol) else WHOLE
        self._model = BacktestFill(
            slippage_bps=exact(spec.slippage_bps),
            commission_per_share=exact(spec.commission_per_share),
            commission_percent=exact(spec.commission_percent),
            participation=exact(spec.participation),
        )
        self._matching = MatchingEngine(self._model, execution_id=self._next_execution)
        self._orders = 0
        self._executions = 0
        self._entry = ""
        """The order that makes the position long or longer; cash limits it."""
        self._too_small = 0
        self._too_late = False
        self._reported = 0.0
        self._filled: list[tuple[int, float, float]] = [(-1, spec.capital, 0.0)]
        """(bar, cash, quantity) after each bar that filled something."""

    def go(self, on_progress: OnProgress) -> None:
        """Bars at which no order stands are not looked at."""
        changes = np.flatnonzero(np.diff(self._weight, prepend=0.0)).tolist()
        last = len(self._bars) - 1
        for bar, until in zip(changes, [*changes, last][1:], strict=True):
            if bar == last:
                self._too_late = True
                break
            self._order(bar)
            at = bar + 1
            while at <= until and len(self._matching):
                self._meet(at)
                self._tell(at / last, on_progress)
                at += 1

    def curves(self) -> tuple[FloatArray, FloatArray]:
        """Equity and position after each bar, float64[n] each."""
        bars, cash, quantity = (np.array(column) for column in zip(*self._filled, strict=True))
        row = np.searchsorted(bars, np.arange(len(self._bars)), side="right") - 1
        return cash[row] + quantity[row] * self._bars.close, quantity[row]

    def warnings(self, equity: FloatArray, position: FloatArray) -> list[str]:
        """What a reader of the figures has to know."""
        unit = "a millionth of a coin" if self._step == COIN else "one share"
        unfilled = sum((working.remaining for working in self._matching), ZERO)
        found = {
            f"{self._too_small} targets came to less than {unit} and were not traded.": self._too_small,
            "The last target came at the last bar and was not traded.": self._too_late,
            f"Orders for {unfilled} were not filled by the last bar: the volume was too small.": unfilled,
            f"{self.account.quantity} were still held at the end, valued at the last close.": self.account.quantity,
            "Equity fell below zero: a broker would have closed the position before.": np.min(equity) < 0,
            "Alpaca lends no crypto: the short sales cannot be made live.": self._step == COIN and np.min(position) < 0,
        }
        return [text for text, holds in found.items() if holds]

    def _order(self, bar: int) -> None:
        """Cancel what has not been filled, then ask for the way from what is held to the target."""
        for working in list(self._matching):
            self._matching.cancel(working.order.order_id, int(self._bars.timestamp[bar]))
        close = exact(self._bars.close[bar])
        weight = exact(self._weight[bar])
        equity = max(self.account.cash + self.account.quantity * close, ZERO)
        wanted = (equity * weight / self._cost(close)).quantize(self._step, ROUND_DOWN)
        self._too_small += bool(weight and not wanted)
        held = self.account.quantity
        self._entry = ""
        if held * wanted < 0:
            self._submit(-held)
            held = ZERO
        self._submit(wanted - held)
        if wanted > held:
            self._entry = str(self._orders) if wanted > 0 else ""

    def _cost(self, price: Decimal) -> Decimal:
        """Dollars that buying one unit takes when the market stands at `price`."""
        paid = self._model.price(Side.BUY, price, None, impact=0.0)
        return paid + self._model.fee(WHOLE, paid)

    def _submit(self, change: Decimal) -> None:
        if change == 0:
            return
        self._orders += 1
        side = Side.BUY if change > 0 else Side.SELL
        order = NewOrder(order_id=str(self._orders), symbol=self._spec.symbol, side=side, quantity=abs(change))
        # Into the book without meeting the bar that the decision was made on.
        self._matching.restore(order, ZERO)

    def _meet(self, bar: int) -> None:
        b = self._bars
        self._cut_to_cash(exact(b.open[bar]))
        # The matching engine does not look at a bar's length.
        shape = Bar(
            self._spec.symbol, Timeframe.MINUTE_1, int(b.timestamp[bar]), float(b.open[bar]), float(b.high[bar]),
            float(b.low[bar]), float(b.close[bar]), float(b.volume[bar]),
        )  # fmt: skip
        filled = [update for update in self._matching.on_bar(shape) if update.kind.is_fill]
        for update in filled:
            self.account.take(update, bar)
        if filled:
            self._filled.append((bar, float(self.account.cash), float(self.account.quantity)))

    def _cut_to_cash(self, price: Decimal) -> None:
        """The order was sized at the last close; a market that opens higher would overdraw the account."""
        entry = self._matching.get(self._entry)
        if entry is None:
            return
        cost = self._cost(price)
        covering = sum((working.remaining for working in self._matching if working is not entry), ZERO)
        affordable = ((self.account.cash - covering * cost) / cost).quantize(self._step, ROUND_DOWN)
        if affordable <= 0:
            self._matching.cancel(self._entry, 0)
        elif affordable < entry.remaining:
            self._matching.amend(self._entry, quantity=entry.filled + affordable)

    def _tell(self, share: float, on_progress: OnProgress) -> None:
        if share >= self._reported + REPORT_EVERY:
            self._reported = share
            on_progress(Progress(done=0.05 + 0.9 * min(share, 1.0), stage="trading"))

    def _next_execution(self) -> str:
        self._executions += 1
        return str(self._executions)


def exact(value: float) -> Decimal:
    """The shortest decimal that reads back as this float."""
    return Decimal(repr(float(value)))
