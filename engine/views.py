"""What a front end may look at: rows, and the tables that hold them (engine/tables.py).

Rows are plain data for display: numbers are float, times int nanoseconds UTC (0 = never).
"""

from __future__ import annotations

import msgspec

from engine.domain.events import Severity, TradingState
from engine.tables import Table


class QuoteRow(msgspec.Struct, kw_only=True):
    symbol: str
    last: float = 0.0
    bid: float = 0.0
    ask: float = 0.0
    bid_size: float = 0.0
    ask_size: float = 0.0
    previous_close: float = 0.0
    """The reference of the day's change; 0 where it is not known."""
    day_volume: float = 0.0
    timestamp: int = 0
    """The venue's time of the last change."""
    received_at: int = 0
    """Our time of the last change; the age of the quote is measured from it."""


class PositionRow(msgspec.Struct, kw_only=True):
    key: str
    """symbol|sleeve"""
    symbol: str
    sleeve: str
    quantity: float
    average_price: float
    last_price: float
    market_value: float
    unrealised: float
    realised: float
    weight: float
    """Share of equity, signed."""


class BalanceRow(msgspec.Struct, kw_only=True):
    """One symbol in three books: our sleeves in the engine, the journal's rows, the broker's account. Signed units."""

    symbol: str
    engine: float
    journal: float
    broker: float
    difference: float
    """What the broker has beyond the journal."""
    verdict: str
    """equal, traded elsewhere, or differs"""
    compared_at: int


class OrderRow(msgspec.Struct, kw_only=True):
    client_order_id: str
    symbol: str
    side: str
    type: str
    quantity: float
    filled_quantity: float
    limit_price: float | None
    time_in_force: str
    status: str
    is_open: bool
    sleeve: str
    created_at: int
    updated_at: int
    average_fill_price: float | None = None
    venue_order_id: str = ""
    message: str = ""
    foreign: bool = False
    parent: str = ""
    """client_order_id of the order that brought this one along as its exit."""
    role: str = ""
    """take profit, stop loss or nothing"""
    replaces: str = ""
    """client_order_id of the order whose place it takes."""
    stop_price: float | None = None
    trail: float | None = None
    trail_unit: str = ""
    """$ or %"""


class FillRow(msgspec.Struct, kw_only=True):
    execution_id: str
    timestamp: int
    symbol: str
    side: str
    quantity: float
    price: float
    sleeve: str
    client_order_id: str


class ProcessRow(msgspec.Struct, kw_only=True):
    name: str
    group: str
    kind: str
    state: str
    critical: bool
    pid: int = 0
    started_at: float = 0.0
    """Monotonic seconds of the last start, 0 when it does not run."""
    cpu_percent: float = 0.0
    rss_bytes: int = 0
    threads: int = 0
    restarts: int = 0
    progress: int = 0
    progress_rate: float = 0.0
    """Units of work (messages, bars, requests) a second."""
    open_files: int = 0
    context_switches: float = 0.0
    """A second."""
    recycles: int = 0
    """Times it was stopped and started for a limit of memory or CPU; these are no restarts."""
    restarts_left: int = 0
    """Unexpected ends that it may still have within the window before it is FATAL."""
    warning: str = ""
    """The limit that it comes near to, in words."""
    last_progress: float = 0.0
    """Monotonic seconds of the newest unit of work, 0 = never."""
    last_heartbeat: float = 0.0
    """Monotonic seconds, 0 = never."""
    last_exit: str = ""
    """Why it last ended, in words: "killed by SIGKILL", "exit code 64: configuration"."""
    detail: str = ""
    """What the child says of itself, such as its address."""


class ProcessSample(msgspec.Struct, frozen=True, array_like=True):
    """The figures of a process at one moment; an older one is the mean of the time until the next."""

    at: float
    """Monotonic seconds."""
    cpu_percent: float
    rss_bytes: int
    rate: float
    """Units of work a second."""


class IncidentRow(msgspec.Struct, kw_only=True):
    """One end of a process that nobody asked for, or one that its limits brought about."""

    key: str
    timestamp: int
    """Int nanoseconds UTC."""
    process: str
    kind: str
    """crash, hang, no progress, not ready, limit, given up or stuck"""
    ending: str
    """The exit code or signal in words."""
    cause: str
    """The probable cause, by the rules of engine/processes/causes.py; empty when none of them fits."""
    remedy: str
    lived_s: float
    restarts_left: int
    tail: list[str] = []
    """The last lines of its log, oldest first, at most 50."""
    history: list[ProcessSample] = []
    """Its figures until then, oldest first."""
    fingerprint: str = ""
    """The error group that it belongs to; empty without one."""


class ScalingRow(msgspec.Struct, kw_only=True):
    """One decision to run more or fewer feed workers, with what it was based on."""

    key: str
    timestamp: int
    """Int nanoseconds UTC."""
    before: int
    after: int
    reason: str
    loads: str
    """Each worker's share of what it can, such as "feed 91 %, feed-2 40 %"."""
    outcome: str
    """What came of it: the symbols that moved, or why they did not."""


class CapacityView(msgspec.Struct, frozen=True, kw_only=True):
    """How many feed workers the load needs; `now` and `peak` within the limits, `wanted_…` as if there were none."""

    workers: int
    """That run."""
    now: int
    peak: int
    wanted_now: int
    wanted_peak: int
    rate: float
    """Messages a second, of all workers."""
    cpu_per_message: float
    """Seconds of one core."""
    fixed_cpu: float
    """Share of a core that a worker uses without any message."""
    lag: float
    """Of the worst worker, as a share of what it may have."""
    peak_rate: float
    """The highest rate to be expected within the hour."""
    is_guess: bool
    """No earlier day is known that the forecast could follow."""
    reason: str


class BotRow(msgspec.Struct, kw_only=True):
    name: str
    strategy: str
    symbols: str
    timeframe: str
    state: str
    """The state of its process."""
    sleeve: str
    capital: float
    position_value: float = 0.0
    realised: float = 0.0
    unrealised: float = 0.0
    orders: int = 0
    fills: int = 0
    signals: int = 0
    blocked: int = 0
    last_signal: str = ""
    last_signal_at: int = 0
    confidence: float = 0.0
    bars_seen: int = 0
    errors: int = 0
    paused_reason: str = ""
    revised: int = 0
    """Signals that would be others now, because a bar that they followed from was corrected."""
    last_revision: str = ""


class HealthRow(msgspec.Struct, kw_only=True):
    part: str
    state: str
    """good, warning, bad or unknown"""
    detail: str
    updated_at: int
    more: str = ""
    """Lines for who asks, where there are any."""


class ErrorRow(msgspec.Struct, kw_only=True):
    """Errors and warnings with the same fingerprint, counted."""

    fingerprint: str
    severity: Severity
    category: str
    component: str
    message: str
    remedy: str
    count: int
    first_seen: int
    last_seen: int
    detail: str = ""
    """Traceback or log lines of the newest occurrence."""
    state: str = "open"
    """open, resolved, muted or regressed"""


class DeadLetterRow(msgspec.Struct, kw_only=True):
    """An event that a part of the engine could not take, kept until a person delivers or discards it."""

    key: str
    timestamp: int
    """When it last failed."""
    kind: str
    about: str
    handler: str
    error: str
    detail: str
    attempts: int
    state: str = "waiting"
    """waiting, delivering, or interrupted: Paddock ended while it was being delivered, so it may have been"""


class ActivityRow(msgspec.Struct, kw_only=True):
    """One line of the Overview's latest list: an alert, fill, order, signal or incident."""

    key: str
    timestamp: int
    kind: str
    text: str
    severity: Severity = Severity.INFO


class Summary(msgspec.Struct, kw_only=True):
    """The numbers of the status bar and the Overview's heading."""

    environment: str = "demo"
    account: str = ""
    trading_state: TradingState = TradingState.ACTIVE
    trading_state_reason: str = ""
    engine_state: str = "CREATED"
    engine_state_reason: str = ""
    equity: float = 0.0
    last_equity: float = 0.0
    cash: float = 0.0
    buying_power: float = 0.0
    day_pnl: float = 0.0
    gross_exposure: float = 0.0
    net_exposure: float = 0.0
    gross_limit_used: float = 0.0
    """Share of the gross exposure limit in use, 0 to 1."""
    day_loss_used: float = 0.0
    order_rate_used: float = 0.0
    feed_state: str = "unknown"
    feeds_chosen: int = 0
    """Feed workers that a person asked for; 0 while their number follows the load."""
    feeds_most: int = 1
    feed_age: float = -1.0
    """Seconds since the last market data arrived; -1 = never."""
    feed_name: str = ""
    broker_state: str = "unknown"
    broker_latency_ms: float = -1.0
    hub_state: str = "unknown"
    hub_name: str = "ZeroMQ"
    """What carries messages between processes, and in brackets what should."""
    hub_reason: str = ""
    """Why it is not what should carry them."""
    market_open: bool | None = None
    market_time: int = 0
    """The venue's own time, which in a replay is not ours."""
    next_change: int = 0
    """When the market next opens or closes, by the venue's time."""
    market_speed: float = 1.0
    armed_faults: tuple[str, ...] = ()
    """What the local exchange is told to do wrong, in words."""


class Views:
    """Every table a front end can show, and the summary. Owned and written by the engine."""

    def __init__(self) -> None:
        self.summary = Summary()
        self.quotes: Table[QuoteRow] = Table(2_000)
        self.positions: Table[PositionRow] = Table(5_000)
        self.balance: Table[BalanceRow] = Table(5_000)
        self.orders: Table[OrderRow] = Table(5_000)
        self.fills: Table[FillRow] = Table(5_000)
        self.processes: Table[ProcessRow] = Table(500)
        self.incidents: Table[IncidentRow] = Table(500)
        self.scaling: Table[ScalingRow] = Table(500)
        self.capacity: CapacityView | None = None
        """None until messages were measured."""
        self.bots: Table[BotRow] = Table(500)
        self.health: Table[HealthRow] = Table(200)
        self.errors: Table[ErrorRow] = Table(1_000)
        self.dead_letters: Table[DeadLetterRow] = Table(1_000)
        self.activity: Table[ActivityRow] = Table(1_000)
        self.equity: list[tuple[int, float]] = []
        """(time, equity), oldest first; thinned by the engine so that it stays below 20,000 points."""
