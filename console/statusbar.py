"""The status bar: environment, trading state, age of the data, broker, hub, market, loop lag, the venue's time."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QStatusBar

from console import format
from console.theme import tokens
from console.widgets.layout import label, set_tone
from engine.domain.events import TradingState
from engine.domain.shown_times import zone_name
from engine.views import Summary

DOT = {"good": "●", "warning": "▲", "bad": "✕", "unknown": "○"}
LAG_WARNING, LAG_BAD = 50.0, 250.0
"""Milliseconds."""


class StatusBar(QStatusBar):
    def __init__(self) -> None:
        super().__init__()
        self.setSizeGripEnabled(False)
        self._badge = label("", "", "status.badge")
        self.addWidget(self._badge)
        names = ("faults", "state", "feed", "broker", "hub", "market", "loop")
        self._parts = {name: self._part(name) for name in names}
        self._message = label("", "muted")
        self.addWidget(self._message, 1)
        self._time = label("", "muted", "status.time")
        self.addPermanentWidget(self._time)

    def say(self, text: str) -> None:
        """What the engine is doing while it starts or stops."""
        self._message.setText(text)

    def restyle(self, environment: str) -> None:
        t = tokens()
        self._badge.setText(f"  {environment.upper()}  ")
        self._badge.setStyleSheet(
            f"background: {t.environment(environment)}; color: {t.on_accent}; border-radius: 4px;"
            " font-weight: 600; padding: 2px 2px; margin-left: 6px;"
        )

    def show_summary(self, summary: Summary, lag: float, running: bool) -> None:
        """`lag` is how late the event loop answers, in milliseconds."""
        if not running:
            return
        self._show_state(summary)
        age = "no data yet" if summary.feed_age < 0 else format.duration(summary.feed_age)
        self._set("feed", summary.feed_state, f"feed {age}", "time since market data last arrived")
        latency = "" if summary.broker_latency_ms < 0 else f" {summary.broker_latency_ms:.0f} ms"
        self._set("broker", summary.broker_state, f"broker{latency}", "the venue's last answer")
        self._set(
            "hub", summary.hub_state, f"hub {summary.hub_name}", summary.hub_reason or "messages between processes"
        )
        self._show_market(summary)
        self._show_faults(summary.armed_faults)
        state = "bad" if lag > LAG_BAD else "warning" if lag > LAG_WARNING else "good"
        self._set("loop", state, f"loop {lag:.0f} ms", "how late the window's event loop answers (99th percentile)")
        zone = zone_name(summary.market_time) if summary.market_time else ""
        self._time.setText(f"{format.clock(summary.market_time)} {zone}  ")

    def _show_state(self, summary: Summary) -> None:
        active = summary.trading_state is TradingState.ACTIVE
        if summary.engine_state == "PAUSED":
            tooltip = f"{summary.engine_state_reason}\n{summary.trading_state_reason}".strip()
            self._set("state", "warning" if active else "bad", f"{summary.trading_state.value}, BOTS PAUSED", tooltip)
            return
        self._set("state", "good" if active else "bad", summary.trading_state.value, summary.trading_state_reason)

    def _show_market(self, summary: Summary) -> None:
        if summary.market_open is None:
            self._set("market", "unknown", "market unknown", "")
            return
        left = (summary.next_change - summary.market_time) / 1e9 / max(summary.market_speed, 1e-9)
        change = f" closes {format.duration(left)}" if summary.market_open else f" opens {format.duration(left)}"
        always = summary.market_open and left > 20 * 3600
        speed = f" ×{summary.market_speed:g}" if summary.market_speed != 1 else ""
        text = f"market {'OPEN' if summary.market_open else 'CLOSED'}{speed}" + ("" if always or left < 0 else change)
        self._set("market", "good" if summary.market_open else "unknown", text, "the venue's session")

    def _show_faults(self, armed: tuple[str, ...]) -> None:
        """Only while there are any, so that nobody takes what the exchange was told to do for the truth."""
        self._parts["faults"].setVisible(bool(armed))
        if armed:
            text = "1 fault armed" if len(armed) == 1 else f"{len(armed)} faults armed"
            self._set(
                "faults", "warning", text, "The exchange was told to misbehave (menu Paper):\n" + "\n".join(armed)
            )

    def _part(self, name: str) -> QLabel:
        part = label("", "muted", f"status.{name}")
        self.addWidget(part)
        return part

    def _set(self, name: str, state: str, text: str, tooltip: str) -> None:
        part = self._parts[name]
        colour = tokens().state(state)
        shown = f"<span style='color:{colour}'>{DOT.get(state, '○')}</span> {text}"
        if part.text() != shown:
            part.setText(shown)
            part.setToolTip(tooltip)
        set_tone(part, state if state in {"warning", "bad"} else "")
