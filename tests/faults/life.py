"""One life of the engine's trading part, from its start to its end or its kill; the journal file stays."""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from engine.broker.alpaca import AlpacaBroker
from engine.broker.base import TradeUpdate
from engine.bus import Bus
from engine.clock import IdFactory
from engine.config.settings import Settings
from engine.config.trading import EngineSection
from engine.domain.errors import OrderError, PaddockError
from engine.domain.events import OrderEvent, TradingState
from engine.domain.orders import OrderStatus
from engine.execution.link import VenueLink
from engine.execution.signals import SignalDesk
from engine.execution.trading import TradingCore
from engine.orchestrator.components import Components, RecoveryLimits
from engine.orchestrator.market import MarketMemory
from engine.orchestrator.projection import Projection
from engine.orchestrator.pulse import Pulse
from engine.orchestrator.schedule import Schedule
from engine.orchestrator.schedule import Work as Chore
from engine.orchestrator.state import StateLoader
from engine.portfolio.state import encode
from engine.portfolio.targets import SleevePlan
from engine.risk.context import PriceView
from engine.risk.limits import Limits
from engine.storage.journal import open_journal
from engine.storage.writer import Commit, Work
from engine.views import Views
from tests.faults.network import ADDRESS, Network
from tests.faults.plan import Fault, FaultPlan
from tests.faults.scratch import SHM
from tests.faults.venue import SYMBOLS
from tests.faults.virtual import VirtualClock, VirtualLoop
from tests.faults.watch import Watch

LIMITS = Limits(
    max_order_notional=Decimal(50_000), max_order_share=0.5, max_position_share=1.0, orders_per_second=100,
    orders_per_minute=1_000, duplicate_window_s=0.0, repeated_fills=1_000, signal_life_s=8.0,
)  # fmt: skip
BOTS = {"bot-a": "SPY", "bot-b": "AAPL"}
SHORT = {"bot-a": False, "bot-b": True}
"""Which of them may sell short."""
SNAPSHOT_EVERY = 7.0
SELDOM = {"display": 10.0, "account": 6.0, "market clock": 15.0}
"""Seconds between two runs of each."""
_settings = functools.cache(lambda: Settings(data=SHM))
"""Read once: it costs as much as some of the shorter lives."""


class Written(msgspec.Struct):
    """What is watched of an order on the disk."""

    client_order_id: str
    status: OrderStatus
    cause_id: str = ""


class Disk:
    """The journal's writer on virtual time: each write takes a moment, may find the disk full, or be the last one.

    As with the real one, whoever waits at the same moment shares one commit.
    """

    def __init__(self, life: Life, commit: Commit) -> None:
        self._life = life
        self._commit = commit
        self._waiting: list[Work] = []

    def put(self, work: Work) -> None:
        self._waiting.append(work)
        asyncio.get_running_loop().call_later(self._life.random.uniform(0.0002, 0.004), self._write)

    async def close(self) -> None:
        while self._waiting and not self._life.is_dead:
            self._write()

    def _write(self) -> None:
        if not self._waiting or self._life.is_dead:
            return
        shared, self._waiting = self._waiting, []
        plan = self._life.plan
        if plan.strikes(Fault.DISK_FULL):
            for work in shared:
                work.finish(OrderError("The order journal cannot be written: database or disk is full.", "Free space."))
            return
        if plan.strikes(Fault.KILL_AT_WRITE):
            if self._life.random.random() < 0.5:
                self._make_durable(shared)
            self._life.die()
            return
        self._make_durable(shared)

    def _make_durable(self, shared: list[Work]) -> None:
        self._commit(shared)
        for row in (row for work in shared for row in work.rows):
            if row.kind == "order":
                order = msgspec.json.decode(row.body, type=Written)
                self._life.watch.durable[order.client_order_id] = order.status
                self._life.watch.causes.setdefault(order.client_order_id, order.cause_id)


class Connection:
    """As broker.session.Session: one request after another. What a dead engine has sent still arrives."""

    def __init__(self, life: Life, network: Network, patience: float) -> None:
        self.latencies: deque[float] = deque(maxlen=1)
        self._life = life
        self._network = network
        self._patience = patience
        self.busy = 0
        self._turn = asyncio.Lock()

    async def warm_up(self) -> None: ...

    async def close(self) -> None: ...

    async def request(self, method: str, path: str, data: dict[str, Any] | None = None) -> Any:
        self.busy += 1
        try:
            return await self._in_turn(method, path, data)
        finally:
            self.busy -= 1

    async def _in_turn(self, method: str, path: str, data: dict[str, Any] | None) -> Any:
        async with self._turn:
            if self._life.is_dead:
                await asyncio.Event().wait()
            if method in ("POST", "PATCH") and data is not None:
                self._life.watch.sent(data, excused=self._life.waits_for_no_disk)
            return await self._network.carry(method, path, data, self._patience)


class Timetable(Schedule):
    """The engine's own, but for what no order hangs on and costs as much as the orders do: that comes less often."""

    def every(self, seconds: float, name: str, *works: Chore, at_once: bool = True) -> None:
        super().every(SELDOM.get(name, seconds), name, *works, at_once=at_once)


class Life:
    def __init__(
        self,
        network: Network,
        plan: FaultPlan,
        random: Random,
        clock: VirtualClock,
        path: Path,
        quote: Callable[[str], tuple[float, float]],
        watch: Watch,
        adopt_into: str,
    ) -> None:
        self.plan = plan
        self.random = random
        self.is_dead = False
        self.died = asyncio.Event()
        self.failures: list[BaseException] = []
        self.stream_is_up = False
        self._network = network
        self._quote = quote
        self.watch = watch
        watch.new_life()
        self._clock = clock
        self._loader = StateLoader(path.parent / "state")
        self.journal, recovered = open_journal(path, lambda commit: Disk(self, commit))
        self.bus = Bus(lambda event, error: self.failures.append(error))
        self.bus.start()
        self.bus.subscribe(OrderEvent, watch.on_order)
        self.broker = AlpacaBroker(
            ADDRESS, clock, read_timeout=2.0, per_minute=2_000, connect=lambda _, t: Connection(self, network, t)
        )
        self.core = TradingCore(
            broker=self.broker, journal=self.journal, recovered=recovered, bus=self.bus, clock=clock,
            ids=IdFactory(clock, seed=random.getrandbits(64)), limits=LIMITS, environment="demo", prices=self._price,
            state=self._loader.load(), adopt_into=adopt_into,
        )  # fmt: skip
        self._loader.report(self.core.ledger.objection, _nothing)
        plans = {
            name: SleevePlan(name=name, capital=Decimal(20_000), allow_short=short) for name, short in SHORT.items()
        }
        self.signals = SignalDesk(self.core, plans, self._price, clock, lambda signal, reason: None)
        self.link = VenueLink(self.core, lambda: self.stream_is_up)
        views = Views()
        self._schedule = Timetable(clock)
        components = Components(clock, RecoveryLimits(), lambda component: None, lambda component: None)
        pulse = Pulse(
            views, clock, MarketMemory(views.quotes, clock), Projection(views, clock, _settings()),
            self.core, self.broker, lambda: self.stream_is_up, components, self._schedule, _nothing, self.bus.figures,
        )  # fmt: skip
        pulse.join(self._schedule, EngineSection())
        self._schedule.every(SNAPSHOT_EVERY, "state", self._save_state, at_once=False)
        self._tasks: list[asyncio.Task[Any]] = []

    @property
    def waits_for_no_disk(self) -> bool:
        """An emergency stop closes positions though the disk is full; nothing else is sent while trading is halted."""
        return self.core.trading_state is TradingState.HALTED and self.plan.fired[Fault.DISK_FULL] > 0

    def start(self) -> None:
        self._tasks.append(asyncio.create_task(self._schedule.run()))
        self.connect()

    def connect(self) -> None:
        self.stream_is_up = True
        self._network.listen(self._hear)
        self.link.up("connected")

    def disconnect(self) -> None:
        self.stream_is_up = False
        self._network.listen(None)
        self.link.down("lost")

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.create_task(work)
        self._tasks.append(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        """Errors that a person is told in words are part of the day; others are not."""
        if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, PaddockError):
            self.failures.append(error)

    def die(self) -> None:
        """From now on nothing that this life does reaches anybody."""
        self.is_dead = True
        self._network.listen(None)
        self.died.set()

    async def _save_state(self) -> None:
        if not self.is_dead:
            self._loader.store.save(encode(self.core.ledger.bookings.state()), self._clock.now())

    async def bury(self) -> None:
        """After `die`: take the remains away, so that the next life can open the journal."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        for task in set(loop.tasks) - self._network.house:
            task.cancel()
        # Twice: who is cancelled may have to wake others first.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await self.journal.close()

    async def stop(self) -> None:
        """In good order, as the engine does it."""
        self._network.listen(None)
        await self.signals.close()
        await self.link.close()
        await self.core.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.bus.close()
        await self.journal.close()

    def _hear(self, update: TradeUpdate) -> None:
        if not self.is_dead:
            self.core.on_trade_update(update)

    def _price(self, symbol: str) -> PriceView | None:
        if symbol not in SYMBOLS:
            return None
        bid, ask = self._quote(symbol)
        return PriceView(bid=bid, ask=ask, last=ask, age=0.1)


def _nothing(*_: object) -> None: ...
