"""Backtests: runs on the left, the chosen one's curve, figures and trades on the right; export from here or the menu."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QFileDialog, QProgressBar

from console import format
from console.charts.line import EquityChart
from console.dialogs.backtest import BacktestDialog
from console.models.table import Column, TableModel
from console.panels.base import Panel
from console.tasks import Tasks
from console.widgets.layout import button, card, label, row, set_tone, splitter
from console.widgets.notices import Notify
from console.widgets.table import TableView
from engine.backtest.result import BacktestResult, BacktestSpec, BacktestTrade
from engine.control import BacktestJob, EngineControl
from engine.tables import Table

SHARES = ("total_return", "cagr", "volatility", "max_drawdown", "win_rate", "exposure", "benchmark_return")
FIRST = (
    "total_return", "benchmark_return", "cagr", "sharpe", "sortino", "max_drawdown", "trades", "win_rate",
    "profit_factor", "exposure", "fees",
)  # fmt: skip


class Backtests(Panel):
    title = "Backtests"
    name = "backtests"

    def __init__(self, control: EngineControl, tasks: Tasks, store: QSettings, notify: Notify) -> None:
        super().__init__(control, tasks)
        self._store = store
        self._notify = notify
        self._job: BacktestJob | None = None
        self.shown: BacktestResult | None = None
        self._known = False
        self._results: Table[BacktestResult] = Table(200)
        self._trades: Table[BacktestTrade] = Table(20_000)
        self._metrics: Table[tuple[str, float]] = Table(100)
        self._new = button("Backtest…", "backtests.new", "primary", "Run a strategy on history")
        self._html = button("Export HTML…", "backtests.export.html", tooltip="Save the report as one page")
        self._csv = button("Export CSV…", "backtests.export.csv", tooltip="Save trades and equity as tables")
        self._cancel = button("Cancel", "backtests.cancel")
        self._progress = QProgressBar()
        self._progress.setObjectName("backtests.progress")
        self._progress.setRange(0, 1000)
        self._progress.setTextVisible(False)
        self._stage = label("", "muted", "backtests.stage")
        self._new.clicked.connect(self.ask)
        self._html.clicked.connect(lambda: self.export("html"))
        self._csv.clicked.connect(lambda: self.export("csv"))
        self._cancel.clicked.connect(self._stop)
        self._runs = TableView(
            TableModel(self._results, _run_columns(), newest_first=True),
            "backtests.runs",
            "No backtest yet. File → Backtest… runs a strategy on history.",
        )
        self._runs.selected.connect(self._show)
        self._chart = EquityChart("The equity of a run, and its falls, are drawn here.")
        self._title = label("", "figure", "backtests.title")
        self._figures = TableView(TableModel(self._metrics, _metric_columns()), "backtests.metrics", "")
        self._list = TableView(TableModel(self._trades, _trade_columns()), "backtests.trades", "")
        left = card(row(self._new, None), row(self._stage, None, self._cancel), self._progress, self._runs, stretch=3)
        results = splitter(
            card(row(self._title, None, self._html, self._csv), self._chart, stretch=1),
            splitter(
                card(self._figures, title="FIGURES", stretch=0), card(self._list, title="TRADES", stretch=0),
                sizes=[300, 560], name="backtests.lower",
            ),
            sizes=[380, 280], vertical=True, name="backtests.right",
        )  # fmt: skip
        self.body.addWidget(splitter(left, results, sizes=[460, 820], name="backtests.splitter"))
        self._show_running(False)
        self._show(None)

    def tick(self) -> None:
        if not self._known:
            self._known = True
            for result in reversed(self.control.backtest_results()):
                self._results.put(result.run_id, result)
            self._runs.source.refresh()
            self._runs.select_where(lambda result: True)

    def restyle(self) -> None:
        self._chart.restyle()

    def ask(self) -> None:
        dialog = BacktestDialog(self.window(), self._store, self.run)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def run(self, spec: BacktestSpec) -> None:
        self.tasks.spawn(self._run(spec), f"backtest {spec.strategy}", self._new)

    def export(self, kind: str) -> None:
        """Ask where to, then write; nothing blocks meanwhile."""
        result = self.shown
        if result is None:
            self._notify("There is no report to export", "Run a backtest first: File → Backtest…", "warning")
            return
        name = f"{result.spec.strategy}-{result.spec.symbol.replace('/', '-')}.{kind}"
        folder = Path(str(self._store.value("backtest/export", str(Path.home()))))
        dialog = QFileDialog(self.window(), "Export report", str(folder / name), f"{kind.upper()} (*.{kind})")
        dialog.setObjectName("backtests.export.dialog")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(kind)
        dialog.selectFile(name)
        dialog.fileSelected.connect(lambda path: self.write(result, kind, Path(path)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def write(self, result: BacktestResult, kind: str, path: Path) -> None:
        # Imported here because it brings jinja2, which nothing else in the window needs.
        from engine.backtest.report import write_csv, write_html

        writer: Callable[[BacktestResult, Path], object] = write_html if kind == "html" else write_csv

        async def work() -> None:
            await asyncio.to_thread(writer, result, path)
            self._store.setValue("backtest/export", str(path.parent))
            self._notify("Report saved", str(path), "good")

        self.tasks.spawn(work(), "export report")

    async def _run(self, spec: BacktestSpec) -> None:
        self._progress.setValue(0)
        self._stage.setText(f"{spec.strategy} on {spec.symbol}: starting")
        self._show_running(True)
        try:
            self._job = await self.control.start_backtest(spec)
            async for progress in self._job.progress():
                self._progress.setValue(round(progress.done * 1000))
                self._stage.setText(f"{spec.strategy} on {spec.symbol}: {progress.stage or 'running'}")
            result = await self._job.result()
        except asyncio.CancelledError:
            self._notify("Backtest cancelled", f"{spec.strategy} on {spec.symbol}", "warning")
            return
        finally:
            self._job = None
            self._show_running(False)
        self._results.put(result.run_id, result)
        self._runs.source.refresh()
        self._runs.select_where(lambda one: one.run_id == result.run_id)
        self._show(result)
        self._notify("Backtest finished", result.title, "good")

    def _stop(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def _show_running(self, running: bool) -> None:
        for widget in (self._progress, self._cancel):
            widget.setVisible(running)
        if not running:
            self._stage.setText("")

    def _show(self, result: BacktestResult | None) -> None:
        self.shown = result
        for one in (self._html, self._csv):
            one.setEnabled(result is not None)
        for key in list(self._trades.keys()):
            self._trades.remove(key)
        for name in list(self._metrics.keys()):
            self._metrics.remove(name)
        self._list.say_when_empty("It did not trade." if result is not None else "The trades of a run stand here.")
        if result is None:
            self._title.setText("No run chosen")
            self._chart.set_data([], [])
        else:
            gained = result.metrics.get("total_return", 0.0)
            self._title.setText(f"{result.title}   {format.percent(gained, sign=True)}")
            set_tone(self._title, "up" if gained > 0 else "down" if gained < 0 else "")
            self._chart.set_data([at / 1e9 for at in result.timestamps], result.equity, result.benchmark)
            for number, trade in enumerate(result.trades):
                self._trades.put(str(number), trade)
            rest = sorted(set(result.metrics) - set(FIRST))
            for name in [*(one for one in FIRST if one in result.metrics), *rest]:
                self._metrics.put(name, (name, result.metrics[name]))
        self._list.source.refresh()
        self._figures.source.refresh()


def _run_columns() -> list[Column[BacktestResult]]:
    def gained(result: BacktestResult) -> float:
        return result.metrics.get("total_return", 0.0)

    return [
        Column("When", lambda r: format.exact(r.created_at)[5:16], lambda r: r.created_at, width=92),
        Column("Strategy", lambda r: r.spec.strategy, width=92),
        Column("Symbol", lambda r: r.spec.symbol, width=60),
        Column("Return", lambda r: format.percent(gained(r), sign=True), gained,
               tone=lambda r: "up" if gained(r) > 0 else "down", width=72, right=True),
        Column("Sharpe", lambda r: f"{r.metrics.get('sharpe', 0.0):.2f}", lambda r: r.metrics.get("sharpe", 0.0),
               width=66, right=True),
        Column("Trades", lambda r: str(len(r.trades)), lambda r: len(r.trades), width=56, right=True),
    ]  # fmt: skip


def _metric_columns() -> list[Column[tuple[str, float]]]:
    def value(metric: tuple[str, float]) -> str:
        name, number = metric
        if name in SHARES:
            return format.percent(number, sign=name.endswith("return"))
        return f"{number:,.0f}" if number == int(number) and abs(number) < 1e15 else f"{number:,.2f}"

    return [
        Column("Figure", lambda r: r[0].replace("_", " "), width=140),
        Column("Value", value, lambda r: r[1], width=110, right=True),
    ]


def _trade_columns() -> list[Column[BacktestTrade]]:
    return [
        Column("Opened", lambda r: format.exact(r.opened_at)[:16], lambda r: r.opened_at, width=136),
        Column("Closed", lambda r: format.exact(r.closed_at)[:16], lambda r: r.closed_at, width=136),
        Column("Side", lambda r: r.side, width=48),
        Column("Quantity", lambda r: format.quantity(r.quantity), lambda r: r.quantity, width=70, right=True),
        Column("Entry", lambda r: format.price(r.entry_price), lambda r: r.entry_price, width=76, right=True),
        Column("Exit", lambda r: format.price(r.exit_price), lambda r: r.exit_price, width=76, right=True),
        Column("P&L", lambda r: format.signed(r.pnl), lambda r: r.pnl, tone=lambda r: format.tone(r.pnl), width=90,
               right=True),
        Column("Return", lambda r: format.percent(r.return_pct / 100, sign=True), lambda r: r.return_pct, width=70,
               right=True),
        Column("Bars", lambda r: str(r.bars_held), lambda r: r.bars_held, width=50, right=True),
    ]  # fmt: skip
