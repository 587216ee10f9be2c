"""What the trading core tells people: alerts, blocked orders, what differed from the venue. Facts on the bus, no more."""

from __future__ import annotations

from engine.bus import Bus
from engine.clock import Clock, IdFactory
from engine.control import EmergencyReport, Verdict
from engine.domain.events import Priority, RiskEvent, Severity, SystemEvent, TradingState
from engine.domain.orders import Fill, Order
from engine.execution.reconcile import Findings
from engine.portfolio.positions import EXTERNAL_SLEEVE
from engine.risk.limits import Limits


class Alarms:
    def __init__(self, bus: Bus, clock: Clock, ids: IdFactory) -> None:
        self._bus = bus
        self._clock = clock
        self._ids = ids

    def alert(self, component: str, message: str, remedy: str, severity: Severity) -> None:
        self._system(component, "alert", message, remedy, severity, Priority.HIGH)

    def trading_state(self, state: TradingState, reason: str) -> None:
        severity = Severity.INFO if state is TradingState.ACTIVE else Severity.WARNING
        self._system("trading", state.value, reason, "", severity, Priority.URGENT)

    def unresolved(self, order: Order, said: str) -> None:
        self.alert(
            "orders",
            f"What became of {order.client_order_id} is not known: {said}",
            "Its exposure stays reserved and the venue is asked until it shows; see it at the venue too.",
            Severity.CRITICAL,
        )

    def paused(self, fill: Fill, limits: Limits) -> None:
        self.alert(
            "risk",
            f"{fill.sleeve} filled {limits.repeated_fills} orders one way in {fill.symbol} "
            f"within {limits.repeated_window_s:g} s and is paused there.",
            "Look at the bot; it goes on by itself after the pause.",
            Severity.WARNING,
        )

    def blocked(self, order: Order, verdict: Verdict) -> None:
        event = RiskEvent(
            event_id=self._ids.ulid(),
            timestamp=self._clock.now(),
            cause_id=order.cause_id,
            rule=verdict.rule,
            message=verdict.message,
            values=dict(verdict.values),
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            sleeve=order.sleeve,
        )
        self._bus.publish(event, Priority.HIGH)

    def surfaced(self, order: Order) -> None:
        self.alert(
            "orders",
            f"{order.client_order_id}, whose outcome was not known, is {order.status.value} at the venue.",
            "It is being cancelled if it is still open.",
            Severity.ERROR,
        )

    def not_replaced(self, old: Order, said: str) -> None:
        self.alert(
            "orders",
            f"{old.client_order_id} was not changed: {said}",
            "It keeps working as it was; change it again, or cancel it.",
            Severity.WARNING,
        )

    def adopted(self, order: Order) -> None:
        before = f" What it filled before, {order.filled_quantity:f}, stays outside." if order.filled_quantity else ""
        self.alert(
            "orders",
            f"{order.client_order_id}, placed elsewhere, belongs to {order.sleeve} now.{before}",
            "",
            Severity.INFO,
        )

    def not_stopped(self) -> None:
        self.alert(
            "emergency stop",
            "The venue has not confirmed the emergency stop yet. Trading is halted here; the cancels go on being sent.",
            "Check the account at the venue itself; this goes on until the venue confirms it.",
            Severity.CRITICAL,
        )

    def stopped(self, report: EmergencyReport) -> None:
        remedy = "" if report.flat else "Look at what remains at the venue itself."
        self.alert("emergency stop", report.text, remedy, Severity.INFO if report.flat else Severity.WARNING)

    def found(self, findings: Findings) -> None:
        for client_order_id in findings.missing:
            self.alert(
                "orders", f"The venue no longer knows {client_order_id}.", "Look it up at the venue.", Severity.ERROR
            )
        for symbol, quantity in findings.positions.items():
            self.alert(
                "positions",
                f"The venue's position in {symbol} differs from our fills by {quantity}.",
                f"It is shown under the sleeve {EXTERNAL_SLEEVE}; find out who traded it.",
                Severity.WARNING,
            )

    def _system(
        self, component: str, state: str, message: str, remedy: str, severity: Severity, priority: Priority
    ) -> None:
        event = SystemEvent(
            event_id=self._ids.ulid(),
            timestamp=self._clock.now(),
            component=component,
            state=state,
            message=message,
            remedy=remedy,
            severity=severity,
        )
        self._bus.publish(event, priority)
