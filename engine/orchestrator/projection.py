"""Write what happens into the tables that a window shows."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from engine.clock import Clock
from engine.config.bots import BotSection
from engine.config.settings import Settings
from engine.domain.events import Severity, TradingState
from engine.domain.orders import Fill, Order, OrderStatus, OrderType
from engine.domain.portfolio import Account, Position
from engine.domain.shown_times import clock
from engine.orchestrator.plan import timeframe_of
from engine.streams.messages import BotStatus, RevisedSignal, Signal
from engine.views import ActivityRow, BotRow, FillRow, OrderRow, PositionRow, Views

EQUITY_POINTS = 20_000


class Projection:
    def __init__(self, views: Views, clock: Clock, settings: Settings) -> None:
        self._views = views
        self._clock = clock
        self._settings = settings
        self._number = 0
        for bot in settings.active_bots:
            views.bots.put(bot.name, self._bot_row(bot))

    def order(self, order: Order) -> None:
        self._views.orders.put(
            order.client_order_id,
            OrderRow(
                client_order_id=order.client_order_id,
                symbol=order.symbol,
                side=order.side.value,
                type=order.type.value,
                quantity=float(order.quantity),
                filled_quantity=float(order.filled_quantity),
                limit_price=_float(order.limit_price),
                time_in_force=order.time_in_force.value,
                status=order.status.value,
                is_open=order.is_open,
                sleeve=order.sleeve,
                created_at=order.created_at,
                updated_at=order.updated_at,
                average_fill_price=_float(order.average_fill_price),
                venue_order_id=order.venue_order_id,
                message=order.message,
                foreign=order.foreign,
                parent=order.leg_of,
                role=order.role.value,
                replaces=order.replaces,
                stop_price=_float(order.stop_price),
                trail=_float(order.trail_price if order.trail_percent is None else order.trail_percent),
                trail_unit=""
                if order.type is not OrderType.TRAILING_STOP
                else "$"
                if order.trail_percent is None
                else "%",
            ),
        )

    def order_news(self, order: Order) -> None:
        """The row, and a line for what a person should notice."""
        known = self._views.orders.get(order.client_order_id)
        self.order(order)
        if known is not None and known.status == order.status.value:
            return
        self._count(order)
        if order.status in {OrderStatus.REJECTED, OrderStatus.BLOCKED, OrderStatus.UNRESOLVED}:
            what = f"{order.sleeve}: {order.side.value} {order.quantity:f} {order.symbol} {order.status.value}"
            self.activity("order", f"{what}: {order.message}", Severity.WARNING)

    def fill(self, fill: Fill, news: bool = True) -> None:
        self._views.fills.put(
            fill.execution_id,
            FillRow(
                execution_id=fill.execution_id,
                timestamp=fill.timestamp,
                symbol=fill.symbol,
                side=fill.side.value,
                quantity=float(fill.quantity),
                price=float(fill.price),
                sleeve=fill.sleeve,
                client_order_id=fill.client_order_id,
            ),
        )
        if news:
            verb = "bought" if fill.side.value == "buy" else "sold"
            self.activity(
                "fill", f"{fill.sleeve} {verb} {fill.quantity:f} {fill.symbol} at {_price(float(fill.price))}"
            )
        self._change_bot(fill.sleeve, fills=1)

    def signal(self, signal: Signal) -> None:
        row = self._views.bots.get(signal.sleeve)
        if row is None:
            return
        wanted = f"{signal.weight:+.0%}" if signal.weight else "flat"
        text = f"{signal.symbol} {wanted} at {_price(signal.price)}"
        changed = msgspec.structs.replace(
            row,
            signals=row.signals + 1,
            last_signal=text,
            last_signal_at=signal.made_at,
            confidence=signal.confidence,
        )
        self._views.bots.put(signal.sleeve, changed)

    def revised_signal(self, revised: RevisedSignal) -> None:
        """A signal that a corrected bar would change: a line, and the bot's count of them."""
        text = (
            f"{revised.symbol} {revised.was:+.1%} of {clock(revised.as_of)} would be {revised.would_be:+.1%}: "
            f"the bar {revised.timeframe} of {clock(revised.bar)} was corrected"
        )
        self.activity("revision", f"{revised.sleeve}: {text}", Severity.WARNING)
        row = self._views.bots.get(revised.sleeve)
        if row is not None:
            changed = msgspec.structs.replace(row, revised=row.revised + 1, last_revision=text)
            self._views.bots.put(revised.sleeve, changed)

    def bot_status(self, status: BotStatus) -> None:
        row = self._views.bots.get(status.name)
        if row is not None:
            errors = row.errors + (1 if status.error and status.error != row.paused_reason else 0)
            changed = msgspec.structs.replace(
                row, bars_seen=status.bars_seen, errors=errors, paused_reason=status.error
            )
            self._views.bots.put(status.name, changed)

    def positions(self, held: Iterable[Position], equity: float) -> None:
        """All rows, once a second: their prices move."""
        values: dict[str, tuple[float, float, float]] = {}
        for position in held:
            key = f"{position.symbol}|{position.sleeve}"
            value, unrealised = float(position.market_value), float(position.unrealised)
            total = values.get(position.sleeve, (0.0, 0.0, 0.0))
            values[position.sleeve] = (
                total[0] + value, total[1] + float(position.realised), total[2] + unrealised
            )  # fmt: skip
            if not position.quantity:
                self._views.positions.remove(key)
                continue
            self._views.positions.put(
                key,
                PositionRow(
                    key=key,
                    symbol=position.symbol,
                    sleeve=position.sleeve,
                    quantity=float(position.quantity),
                    average_price=float(position.average_price),
                    last_price=float(position.last_price),
                    market_value=value,
                    unrealised=unrealised,
                    realised=float(position.realised),
                    weight=value / equity if equity else 0.0,
                ),
            )
        for sleeve, (value, realised, unrealised) in values.items():
            row = self._views.bots.get(sleeve)
            if row is not None:
                changed = msgspec.structs.replace(row, position_value=value, realised=realised, unrealised=unrealised)
                self._views.bots.put(sleeve, changed)

    def bot_state(self, name: str, state: str) -> None:
        row = self._views.bots.get(name)
        if row is not None:
            self._views.bots.put(name, msgspec.structs.replace(row, state=state))

    def trading_state(self, state: TradingState, reason: str) -> None:
        self._views.summary.trading_state = state
        self._views.summary.trading_state_reason = reason

    def account(self, account: Account) -> None:
        summary, now = self._views.summary, self._clock.now()
        summary.account = account.account_number
        summary.equity = float(account.equity)
        summary.last_equity = float(account.last_equity)
        summary.cash = float(account.cash)
        summary.buying_power = float(account.buying_power)
        summary.day_pnl = float(account.equity - account.last_equity)
        equity = self._views.equity
        equity.append((now, summary.equity))
        if len(equity) > EQUITY_POINTS:
            # Halve the older half: the recent past keeps its detail.
            half = EQUITY_POINTS // 2
            equity[:half] = equity[:half:2]

    def activity(self, kind: str, text: str, severity: Severity = Severity.INFO) -> None:
        self._number += 1
        key = f"{self._number:09d}"
        self._views.activity.put(
            key, ActivityRow(key=key, timestamp=self._clock.now(), kind=kind, text=text, severity=severity)
        )

    def _count(self, order: Order) -> None:
        if order.status is OrderStatus.INTENT:
            self._change_bot(order.sleeve, orders=1)
        elif order.status is OrderStatus.BLOCKED:
            self._change_bot(order.sleeve, blocked=1)

    def _change_bot(self, sleeve: str, orders: int = 0, fills: int = 0, blocked: int = 0) -> None:
        row = self._views.bots.get(sleeve)
        if row is not None:
            changed = msgspec.structs.replace(
                row, orders=row.orders + orders, fills=row.fills + fills, blocked=row.blocked + blocked
            )
            self._views.bots.put(sleeve, changed)

    def _bot_row(self, bot: BotSection) -> BotRow:
        return BotRow(
            name=bot.name,
            strategy=bot.strategy,
            symbols=", ".join(bot.symbols),
            timeframe=timeframe_of(bot, self._settings).value,
            state="STOPPED",
            sleeve=bot.name,
            capital=float(bot.capital),
        )


def _float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _price(value: float) -> str:
    """By tick size, as the tables show it: four decimals below a dollar, two above."""
    return f"{value:,.4f}" if abs(value) < 1 else f"{value:,.2f}"
