"""An EngineControl without an engine: plausible rows, and a record of what it was asked. For tests of the window alone."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

from engine.backtest.result import BacktestResult, BacktestSpec
from engine.control import EmergencyReport, ExchangeFault, Hop, LogLine, Placed, Verdict
from engine.domain.errors import UnavailableError
from engine.domain.events import Severity
from engine.domain.market import Bar, IndicatorValues, Timeframe
from engine.domain.orders import OrderChanges, OrderRequest
from engine.views import (
    ActivityRow,
    BotRow,
    DeadLetterRow,
    ErrorRow,
    FillRow,
    HealthRow,
    IncidentRow,
    OrderRow,
    PositionRow,
    ProcessRow,
    ProcessSample,
    QuoteRow,
    Views,
)


class ScriptedEngine:
    def __init__(self, filled: bool = True) -> None:
        self.views = Views()
        self.asked: list[tuple[Any, ...]] = []
        self.verdict = Verdict(allowed=True, notional=Decimal(100))
        if filled:
            self._fill()

    def _fill(self) -> None:
        views, now = self.views, time.time_ns()
        for number, symbol in enumerate(("SPY", "AAPL", "BTC/USD")):
            views.quotes.put(
                symbol,
                QuoteRow(
                    symbol=symbol, last=100.0 + number, bid=99.99 + number, ask=100.01 + number, previous_close=99.0,
                    day_volume=1.5e6, timestamp=now, received_at=now,
                ),
            )  # fmt: skip
        views.positions.put(
            "SPY|sma-cross",
            PositionRow(
                key="SPY|sma-cross", symbol="SPY", sleeve="sma-cross", quantity=10, average_price=99, last_price=100,
                market_value=1000, unrealised=10, realised=-3.5, weight=0.01,
            ),
        )  # fmt: skip
        views.orders.put(
            "demo-manual-1",
            OrderRow(
                client_order_id="demo-manual-1", symbol="SPY", side="buy", type="limit", quantity=5, filled_quantity=0,
                limit_price=90.0, time_in_force="day", status="new", is_open=True, sleeve="manual", created_at=now,
                updated_at=now,
            ),
        )  # fmt: skip
        views.fills.put(
            "x1",
            FillRow(
                execution_id="x1", timestamp=now, symbol="SPY", side="buy", quantity=10, price=99.0,
                sleeve="sma-cross", client_order_id="demo-sma-cross-1",
            ),
        )  # fmt: skip
        for name, state in (("feed", "RUNNING"), ("exchange", "STOPPED"), ("sma-cross", "BACKOFF"), ("hub", "FATAL")):
            views.processes.put(
                name, ProcessRow(name=name, group="core", kind=name, state=state, critical=False, pid=1, last_exit="–")
            )
        views.incidents.put(
            "i1",
            IncidentRow(
                key="i1", timestamp=now, process="sma-cross", kind="crash", ending="killed by SIGSEGV",
                cause="It crashed in native code.", remedy="See its last lines.", lived_s=61.0, restarts_left=4,
                tail=["one", "two"], history=self.process_history("sma-cross"),
            ),
        )  # fmt: skip
        views.bots.put(
            "sma-cross",
            BotRow(
                name="sma-cross", strategy="sma-cross", symbols="SPY", timeframe="1s", state="RUNNING",
                sleeve="sma-cross", capital=10_000,
            ),
        )  # fmt: skip
        views.health.put("feed", HealthRow(part="feed", state="good", detail="well", updated_at=now))
        views.errors.put(
            "e1",
            ErrorRow(
                fingerprint="e1", severity=Severity.ERROR, category="network", component="feed", message="It broke.",
                remedy="Mend it.", count=3, first_seen=now, last_seen=now, detail="Traceback",
            ),
        )  # fmt: skip
        views.dead_letters.put(
            "1|window",
            DeadLetterRow(
                key="1|window", timestamp=now, kind="OrderEvent", about="buy 5 SPY: new (demo-manual-1)",
                handler="window", error="ValueError: it broke", detail="Traceback", attempts=2,
            ),
        )  # fmt: skip
        views.activity.put("1", ActivityRow(key="1", timestamp=now, kind="fill", text="bought"))
        views.summary.equity = views.summary.last_equity = 100_000.0
        views.equity.extend((now + i * 10**9, 100_000.0 + i) for i in range(50))

    def __getattr__(self, name: str) -> Any:
        """Commands that only need to be recorded."""
        if name not in {
            "cancel_order", "cancel_all_orders", "adopt_order", "close_position", "reassign_external", "pause", "resume", "halt", "allow_trading", "start_processes",
            "stop_processes", "restart_processes", "watch", "unwatch", "deliver_dead_letters", "discard_dead_letters",
        }:  # fmt: skip
            raise AttributeError(name)

        async def record(*arguments: Any) -> None:
            self.asked.append((name, *arguments))

        return record

    def scale_feeds(self, count: int) -> None:
        self.asked.append(("scale_feeds", count))

    def process_history(self, name: str) -> list[ProcessSample]:
        return [ProcessSample(float(second), second % 7, 50_000_000 + second * 100_000, 100.0) for second in range(90)]

    async def place_order(self, request: OrderRequest) -> Placed:
        self.asked.append(("place_order", request))
        return Placed(client_order_id="demo-manual-2", status="new")

    def check_order(self, request: OrderRequest) -> Verdict:
        return self.verdict

    async def replace_order(self, client_order_id: str, changes: OrderChanges) -> Placed:
        self.asked.append(("replace_order", client_order_id, changes))
        return Placed(client_order_id="demo-manual-3", status="new")

    def check_change(self, client_order_id: str, changes: OrderChanges) -> Verdict:
        return self.verdict

    def emergency_report(self) -> EmergencyReport | None:
        return None

    def flight(self, client_order_id: str) -> list[Hop]:
        return [
            Hop(name="verdict", at=1_763_992_800_000_000_000, monotonic=1.0, detail="allowed (equity 100000)"),
            Hop(name="sent", at=1_763_992_800_004_000_000, monotonic=1.004),
        ]

    async def emergency_stop(self, reason: str, flatten: bool = True) -> EmergencyReport:
        self.asked.append(("emergency_stop", reason, flatten))
        return EmergencyReport(
            flat=True, text="FLAT CONFIRMED", steps=["1"], open_orders=[], open_positions=[], milliseconds=1.0
        )

    async def exchange_fault(self, fault: ExchangeFault) -> None:
        self.asked.append(("fault", fault))

    def process_log(self, name: str, after: int = 0) -> list[LogLine]:
        lines = [
            LogLine(number=n, timestamp=n, level="error" if n % 3 == 0 else "info", logger="x", text=f"line {n}")
            for n in range(1, 10)
        ]
        return [line for line in lines if line.number > after]

    async def history(self, symbol: str, timeframe: Timeframe, limit: int = 500) -> list[Bar]:
        if symbol == "AAPL":
            raise UnavailableError("The feed did not answer.", "Start it.")
        start = timeframe.nanoseconds
        return [
            Bar(symbol, timeframe, 10**18 + n * start, 100.0, 101.0 + n % 3, 99.0, 100.0 + n % 2, 10.0)
            for n in range(200)
        ]

    def live_bars(self, symbol: str, timeframe: Timeframe, after: int) -> list[Bar]:
        return []

    def indicators(self, symbol: str, timeframe: Timeframe, after: int) -> list[IndicatorValues]:
        numbers = (100.5, 100.4, 55.0, 0.1, 0.2, -0.1, 102.0, 100.5, 99.0, 1.5, 100.3)
        starts = (10**18 + n * timeframe.nanoseconds for n in range(50, 200))
        return [IndicatorValues(symbol, at, *numbers) for at in starts if at >= after]

    def resolve_error(self, fingerprint: str) -> None:
        self.asked.append(("resolve_error", fingerprint))

    def mute_error(self, fingerprint: str) -> None:
        self.asked.append(("mute_error", fingerprint))

    def report_error(
        self, component: str, message: str, *, remedy: str = "", detail: str = "", severity: str = "error"
    ) -> None:
        self.asked.append(("report_error", component, message, severity))

    async def start_backtest(self, spec: BacktestSpec) -> Any:
        raise UnavailableError("No child can be started.", "Free some memory.")

    def backtest_results(self) -> list[BacktestResult]:
        return []
