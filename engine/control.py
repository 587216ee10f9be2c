"""What a front end may ask of the engine. The console knows the engine by this protocol and by `engine.views` only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Protocol

import msgspec

from engine.backtest.result import BacktestResult, BacktestSpec, Progress
from engine.domain.market import Bar, IndicatorValues, Timeframe
from engine.domain.orders import OrderChanges, OrderRequest
from engine.views import ProcessSample, Views


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the risk gate says of an order: the rules that stop it, and the values that were looked at."""

    allowed: bool
    rule: str = ""
    message: str = ""
    remedy: str = ""
    notional: Decimal = Decimal(0)
    reference_price: Decimal = Decimal(0)
    values: dict[str, str] = {}


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of placing an order; `status` is an OrderStatus word."""

    client_order_id: str
    status: str
    message: str = ""


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One step of an order. `at` is int nanoseconds UTC, `monotonic` seconds for the time between two steps."""

    name: str
    """signal, verdict, intent durable, answer, update or fill"""
    at: int
    monotonic: float
    detail: str = ""


class EmergencyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What an emergency stop found when it asked again; `flat` only when the venue confirmed it."""

    flat: bool
    text: str
    """FLAT CONFIRMED with the time, or exactly what remains."""
    steps: list[str]
    open_orders: list[str]
    open_positions: list[str]
    milliseconds: float
    final: bool = True
    """False while it is not confirmed and goes on being tried."""


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a child's log. `number` counts from 1 for each process, so a reader can ask for what is new."""

    number: int
    timestamp: int
    level: str
    logger: str
    text: str


class ExchangeFault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the local exchange is to do wrong, as its route /paddock/faults takes it: see docs/exchange.md."""

    kind: str
    count: int = 1
    status: int = 500
    seconds: float = 1.0
    after: bool = False
    path: str = ""
    method: str = ""
    stream: str = "all"


class BacktestJob(Protocol):
    """A backtest running in a child process."""

    run_id: str

    def progress(self) -> AsyncIterator[Progress]: ...

    async def result(self) -> BacktestResult:
        """Waits for the end. Raises PaddockError with the child's own message, asyncio.CancelledError after cancel()."""
        ...

    def cancel(self) -> None: ...


class EngineControl(Protocol):
    views: Views

    async def place_order(self, request: OrderRequest) -> Placed: ...

    def check_order(self, request: OrderRequest) -> Verdict:
        """The verdict that `place_order` would meet now, without placing anything."""
        ...

    async def replace_order(self, client_order_id: str, changes: OrderChanges) -> Placed:
        """Change a working order; the outcome is that of the order which takes its place. Raises OrderError with the
        reason when it cannot be changed that way; the order then works as before.
        """
        ...

    def check_change(self, client_order_id: str, changes: OrderChanges) -> Verdict:
        """The verdict that `replace_order` would meet now, without changing anything."""
        ...

    async def adopt_order(self, client_order_id: str, sleeve: str) -> None:
        """Take an order that was placed elsewhere into a sleeve: from now on its fills are that sleeve's. Raises
        OrderError with the reason.
        """
        ...

    def flight(self, client_order_id: str) -> list[Hop]:
        """What happened to an order of this run, step by step; empty for one of an earlier run."""
        ...

    async def cancel_order(self, client_order_id: str) -> None: ...

    async def cancel_all_orders(self) -> int: ...

    async def close_position(self, symbol: str) -> None: ...

    async def reassign_external(self, symbol: str, sleeve: str) -> None:
        """Give what was traded outside (the external sleeve) to a sleeve. Raises PaddockError with the reason."""
        ...

    async def emergency_stop(self, reason: str, flatten: bool = True) -> EmergencyReport:
        """What is known after a few seconds. Unless that is final, it is tried on until the venue has confirmed it, and
        `emergency_report` tells how it stands.
        """
        ...

    def emergency_report(self) -> EmergencyReport | None:
        """What is known by now of the newest emergency stop; None before the first."""
        ...

    async def pause(self, reason: str) -> None:
        """Bots' signals are not acted on, also after a restart; orders by hand, cancels and protection go on."""
        ...

    async def resume(self) -> None:
        """Bots trade again, as far as the trading state lets them."""
        ...

    async def halt(self, reason: str) -> None:
        """Trading goes to HALTED; cancels still pass."""
        ...

    async def allow_trading(self) -> None:
        """Trading goes to ACTIVE, whatever turned it down."""
        ...

    async def start_processes(self, names: Sequence[str]) -> None: ...

    async def stop_processes(self, names: Sequence[str]) -> None: ...

    async def restart_processes(self, names: Sequence[str]) -> None: ...

    def scale_feeds(self, count: int) -> None:
        """Run that many feed workers; 0 lets their number follow the load. Raises ConfigurationError beyond the limits."""
        ...

    async def exchange_fault(self, fault: ExchangeFault) -> None:
        """Arm or carry out a fault of the local exchange; the kind clear disarms them all. What is armed is in
        `views.summary.armed_faults`. Raises PaddockError in paper and live, where there is no exchange of ours.
        """
        ...

    def process_history(self, name: str) -> list[ProcessSample]:
        """Its figures of the last hour, oldest first, finer the newer they are."""
        ...

    def process_log(self, name: str, after: int = 0) -> list[LogLine]: ...

    async def history(self, symbol: str, timeframe: Timeframe, limit: int = 500) -> list[Bar]:
        """Closed bars, oldest first, then perhaps the growing one. Raises PaddockError when the feed does not answer."""
        ...

    def live_bars(self, symbol: str, timeframe: Timeframe, after: int) -> list[Bar]:
        """Bars (closed, and the growing one last) that start at or after `after`, from the engine's own memory."""
        ...

    def indicators(self, symbol: str, timeframe: Timeframe, after: int) -> list[IndicatorValues]:
        """After closed bars that start at or after `after`, oldest first; none of 1s and 4h."""
        ...

    async def watch(self, symbol: str) -> None:
        """Add a symbol to the feed, over restarts, too. Raises PaddockError when the venue does not know it."""
        ...

    async def unwatch(self, symbol: str) -> None:
        """Raises DataError while somebody needs its prices: a bot, a position, an open order."""
        ...

    def resolve_error(self, fingerprint: str) -> None: ...

    def mute_error(self, fingerprint: str) -> None: ...

    def report_error(
        self, component: str, message: str, *, remedy: str = "", detail: str = "", severity: str = "error"
    ) -> None:
        """How the window's own errors reach the error list."""
        ...

    async def deliver_dead_letters(self, keys: Sequence[str]) -> None:
        """Each once more to the part that failed on it. Raises DataError that says what still failed."""
        ...

    async def discard_dead_letters(self, keys: Sequence[str]) -> None: ...

    async def start_backtest(self, spec: BacktestSpec) -> BacktestJob: ...

    def backtest_results(self) -> list[BacktestResult]:
        """Finished runs in the data folder, newest first, at most 50."""
        ...
