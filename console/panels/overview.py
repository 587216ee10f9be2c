"""Overview: "am I all right?" in two seconds. Equity, trading state, risk in use, sleeves, exposure, health, latest."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QProgressBar, QPushButton, QSizePolicy, QWidget

from console import format
from console.charts.line import EquityChart
from console.models.table import Column, TableModel
from console.panels.base import Panel
from console.tasks import Tasks
from console.theme import SPACE, tokens
from console.widgets.layout import button, card, column, label, row, set_tone, splitter
from console.widgets.table import TableView
from engine.control import EngineControl
from engine.domain.events import Severity, TradingState
from engine.views import ActivityRow, BotRow, HealthRow

ICONS = {"good": "●", "warning": "▲", "bad": "✕", "unknown": "○"}
RANGES = (("15 min", 900), ("1 h", 3_600), ("1 day", 86_400), ("All", 0))


class Overview(Panel):
    title = "Overview"
    name = "overview"

    def __init__(self, control: EngineControl, tasks: Tasks) -> None:
        super().__init__(control, tasks)
        self._equity = label("–", "headline", "overview.equity")
        self._pnl = label("", "figure", "overview.pnl")
        self._chart = EquityChart("Equity is drawn from the second account report on.")
        self._seconds = 0
        self._drawn = 0
        self._ranges = [button(name, f"overview.range.{seconds}", "flat") for name, seconds in RANGES]
        for one, (_, seconds) in zip(self._ranges, RANGES, strict=True):
            one.setCheckable(True)
            one.setAutoExclusive(True)
            one.clicked.connect(lambda _=False, seconds=seconds: self._show_range(seconds))
        self._ranges[-1].setChecked(True)
        curve = card(row(self._equity, self._pnl, None, *self._ranges), self._chart, stretch=1)
        self._state = label("", "figure", "overview.state")
        self._reason = label("", "muted")
        self._reason.setWordWrap(True)
        self._bots = label("", "muted", "overview.bots")
        self._bots.setWordWrap(True)
        self._pause = button("Pause bots", "overview.pause", tooltip="Do not act on bots' signals; all else goes on")
        self._resume = button("Resume bots", "overview.resume", tooltip="Act on bots' signals again")
        self._allow = button(
            "Activate trading", "overview.activate", tooltip="Let every order pass that passes its checks"
        )
        self._command(self._pause, "pause", lambda: control.pause("paused by hand"))
        self._command(self._resume, "resume", control.resume)
        self._command(self._allow, "activate trading", control.allow_trading)
        self._meters = {name: Meter(name) for name in ("gross exposure", "day loss", "orders a minute")}
        state = card(
            self._state,
            self._reason,
            self._bots,
            row(self._pause, self._resume, self._allow, None),
            *self._meters.values(),
            title="TRADING STATE",
        )
        self._health = HealthList()
        health = card(self._health, title="HEALTH")
        side = column(state, health)
        state.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        side.setFixedWidth(300)
        self._sleeves = TableView(
            TableModel(self.views.bots, _sleeve_columns()), "overview.sleeves", "Bots appear here with their P&L."
        )
        self._exposure = ExposureBars()
        middle = splitter(
            card(self._sleeves, title="P&L BY BOT", stretch=0),
            card(self._exposure, title="EXPOSURE BY SYMBOL", stretch=0),
            sizes=[560, 440],
            name="overview.middle",
        )
        self._latest = TableView(
            TableModel(self.views.activity, _activity_columns(), newest_first=True),
            "overview.latest",
            "Fills, alerts and incidents appear here.",
        )
        left = splitter(
            curve, middle, card(self._latest, title="LATEST", stretch=0),
            sizes=[420, 150, 200], vertical=True, name="overview.left",
        )  # fmt: skip
        self.body.addWidget(_beside(left, side))

    def refresh(self) -> None:
        self._sleeves.source.refresh()
        self._latest.source.refresh()

    def tick(self) -> None:
        summary = self.views.summary
        self._equity.setText(format.money(summary.equity) if summary.equity else format.DASH)
        share = summary.day_pnl / summary.last_equity if summary.last_equity else 0.0
        self._pnl.setText(f"{format.signed(summary.day_pnl)}  ({format.percent(share, sign=True)}) today")
        set_tone(self._pnl, format.tone(summary.day_pnl))
        active = summary.trading_state is TradingState.ACTIVE
        tone = {"ACTIVE": "good", "REDUCING": "warning"}.get(summary.trading_state.value, "bad")
        self._state.setText(f"{ICONS[tone]} {summary.trading_state.value}")
        set_tone(self._state, tone)
        self._reason.setText(summary.trading_state_reason or "Orders pass when every check does.")
        paused = summary.engine_state == "PAUSED"
        self._bots.setText(f"▲ BOTS PAUSED. {summary.engine_state_reason}" if paused else "")
        self._bots.setVisible(paused)
        set_tone(self._bots, "warning" if paused else "")
        self._pause.setVisible(not paused)
        self._resume.setVisible(paused)
        self._allow.setVisible(not active)
        self._meters["gross exposure"].set(summary.gross_limit_used, format.money(summary.gross_exposure))
        self._meters["day loss"].set(summary.day_loss_used, format.percent(summary.day_loss_used, 0))
        self._meters["orders a minute"].set(summary.order_rate_used, format.percent(summary.order_rate_used, 0))
        self._health.show_rows(list(self.views.health))
        self._exposure.set_values(_by_symbol(self.control), summary.equity)
        self._draw()

    def _command(self, one: QPushButton, name: str, act: Callable[[], Coroutine[Any, Any, None]]) -> None:
        one.clicked.connect(lambda: self.tasks.spawn(act(), name, one))

    def restyle(self) -> None:
        self._chart.restyle()

    def _show_range(self, seconds: int) -> None:
        self._seconds = seconds
        self._drawn = 0
        self._draw()

    def _draw(self) -> None:
        points = self.views.equity
        if len(points) == self._drawn:
            return
        self._drawn = len(points)
        since = points[-1][0] - self._seconds * 1_000_000_000 if self._seconds and points else 0
        shown = [point for point in points if point[0] >= since]
        self._chart.set_data([at / 1e9 for at, _ in shown], [value for _, value in shown])


class Meter(QWidget):
    """A share of a limit, with its name and a figure."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._text = label("", "")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(6)
        self._bar.setRange(0, 100)
        self._bar.setAccessibleName(name)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, SPACE // 2, 0, 0)
        grid.setSpacing(4)
        grid.addWidget(label(name, "muted"), 0, 0)
        grid.addWidget(self._text, 0, 1, Qt.AlignmentFlag.AlignRight)
        grid.addWidget(self._bar, 1, 0, 1, 2)

    def set(self, share: float, text: str) -> None:
        self._bar.setValue(round(min(max(share, 0.0), 1.0) * 100))
        self._text.setText(text)
        colour = tokens().bad if share > 0.9 else tokens().warning if share > 0.7 else tokens().accent
        sheet = f"QProgressBar::chunk {{ background: {colour}; border-radius: 3px; }}"
        if self._bar.styleSheet() != sheet:
            self._bar.setStyleSheet(sheet)


class HealthList(QWidget):
    """One line for each part: icon, name, detail."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 4, 0, 0)
        self._grid.setHorizontalSpacing(SPACE)
        self._grid.setVerticalSpacing(6)
        self._grid.setColumnStretch(2, 1)
        self._lines: dict[str, tuple[QLabel, QLabel]] = {}

    def show_rows(self, rows: list[HealthRow]) -> None:
        for health in rows:
            if health.part not in self._lines:
                at = len(self._lines)
                icon, detail = label(), label("", "muted")
                detail.setMinimumWidth(10)
                detail.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
                detail.setWordWrap(True)
                top = Qt.AlignmentFlag.AlignTop
                self._grid.addWidget(icon, at, 0, top)
                self._grid.addWidget(label(health.part), at, 1, top)
                self._grid.addWidget(detail, at, 2)
                self._lines[health.part] = (icon, detail)
            icon, detail = self._lines[health.part]
            icon.setText(ICONS.get(health.state, "○"))
            icon.setAccessibleName(f"{health.part} is {health.state}")
            set_tone(icon, health.state)
            detail.setText(health.detail)
            detail.setToolTip(health.more or health.detail)


class ExposureBars(QWidget):
    """A bar for each symbol held, long to the right and short to the left of the middle when there are shorts."""

    def __init__(self) -> None:
        super().__init__()
        self._values: list[tuple[str, float]] = []
        self._equity = 0.0
        self.setMinimumHeight(60)
        self.setAccessibleName("exposure by symbol")

    def set_values(self, values: dict[str, float], equity: float) -> None:
        self._values = sorted(values.items(), key=lambda item: -abs(item[1]))
        self._equity = equity
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        t = tokens()
        if not self._values:
            painter.setPen(QColor(t.muted))
            painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), "No position is open.")
            return
        height = 20
        widest = max(abs(value) for _, value in self._values)
        room = max(self.width() - 200, 20)
        for position, (symbol, value) in enumerate(self._values[: max(self.height() // height, 1)]):
            top = position * height
            painter.setPen(QColor(t.text))
            painter.drawText(0, top, 70, height, int(Qt.AlignmentFlag.AlignVCenter), symbol)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(t.accent if value >= 0 else t.warning))
            painter.drawRoundedRect(72, top + 6, max(round(room * abs(value) / widest), 2), height - 12, 3, 3)
            painter.setPen(QColor(t.muted))
            share = f"  {format.percent(value / self._equity, 1)}" if self._equity else ""
            text = f"{format.money(value)}{share}"
            painter.drawText(
                self.width() - 124, top, 124, height,
                int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), text,
            )  # fmt: skip


def _beside(left: QWidget, right: QWidget) -> QWidget:
    holder = row(left, right)
    left.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
    return holder


def _by_symbol(control: EngineControl) -> dict[str, float]:
    values: dict[str, float] = {}
    for position in control.views.positions:
        values[position.symbol] = values.get(position.symbol, 0.0) + position.market_value
    return values


def _sleeve_columns() -> list[Column[BotRow]]:
    return [
        Column("Bot", lambda r: r.name, width=110),
        Column("P&L", lambda r: format.signed(r.realised + r.unrealised), lambda r: r.realised + r.unrealised,
               tone=lambda r: format.tone(r.realised + r.unrealised), right=True),
        Column("Position", lambda r: format.money(r.position_value), lambda r: r.position_value, right=True),
        Column("Fills", lambda r: str(r.fills), lambda r: r.fills, width=55, right=True),
        Column("Last signal", lambda r: r.last_signal or format.DASH, width=120),
    ]  # fmt: skip


def _activity_columns() -> list[Column[ActivityRow]]:
    def tone(activity: ActivityRow) -> str:
        return {Severity.INFO: "", Severity.WARNING: "warning"}.get(activity.severity, "bad")

    return [
        Column("Time", lambda r: format.clock(r.timestamp), width=76, tooltip=lambda r: format.exact(r.timestamp)),
        Column("Kind", lambda r: r.kind, width=80, tone=tone),
        Column("What", lambda r: r.text, tone=tone),
    ]
