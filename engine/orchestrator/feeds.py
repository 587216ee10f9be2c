"""Feed workers that share the symbols: as many as the load asks for, each symbol with one of them at any moment.

A symbol moves in two steps. The new feed follows it in silence until it has read what it missed; then the word passes
at one moment of the tape that both are told (engine/market/tenure.py). A feed that cannot be kept running gives its
symbols to the others at once, which read what has not been said since. One that a person stops does so, too; it rests
until that person starts it, and then has them back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping

from engine.clock import Clock
from engine.domain.errors import PaddockError
from engine.domain.market import NANOSECONDS, Timeframe
from engine.market.tenure import NEVER
from engine.orchestrator.capacity import CapacityDesk
from engine.orchestrator.market import MarketMemory
from engine.orchestrator.plan import FEED
from engine.processes.autoscaler import Autoscaler, Decision, ScalingLimits, WorkerLoad
from engine.processes.rendezvous import owner, shares
from engine.processes.specification import ProcessSpec
from engine.processes.states import ProcessState
from engine.processes.supervisor import Supervisor
from engine.streams.messages import WATCH, Message, Watch
from engine.views import ScalingRow, Views

log = logging.getLogger(__name__)

EVERY = 1.0
LEAD = 2.0
"""Seconds between the word's passing being agreed on and its moment."""
STANDS_BY_WITHIN = 60.0
LAG_LIMIT = 1.0
"""Seconds behind the venue that count as all that a feed can do."""
_LOST = {ProcessState.FATAL, ProcessState.STUCK, ProcessState.STOPPED, ProcessState.EXITED}
_Share = Callable[[str], Mapping[str, int]]


class Feeds:
    """`make_spec` makes the specification of a further feed; `publish` speaks on the hub."""

    def __init__(
        self,
        symbols: Iterable[str],
        limits: ScalingLimits,
        capacity: CapacityDesk,
        supervisor: Supervisor,
        market: MarketMemory,
        views: Views,
        publish: Callable[[str, Message], None],
        make_spec: Callable[[str, _Share], ProcessSpec],
        clock: Clock,
        speed: float = 1.0,
    ) -> None:
        """`speed` is how much faster than the clock the tape runs. Raises ConfigurationError."""
        self._scaler = Autoscaler(limits)
        self._capacity = capacity
        self._supervisor = supervisor
        self._market = market
        self._views = views
        self._publish = publish
        self._make_spec = make_spec
        self._clock = clock
        self._speed = max(speed, 1.0)
        self._shares: dict[str, list[str]] = {FEED: list(symbols)}
        market.expect(self._shares[FEED])
        self._resting: set[str] = set()
        """Stopped by a person; or the first one, which is there always, and has been given up."""
        self._views.summary.feeds_most = limits.most

    @property
    def names(self) -> list[str]:
        return list(self._shares)

    def symbols_of(self, name: str) -> list[str]:
        return list(self._shares.get(name, []))

    def share_of(self, name: str) -> dict[str, int]:
        """Its symbols, and until when the candles of each have been said: a feed that starts again goes on from there."""
        return {symbol: self._said_until(symbol) for symbol in self.symbols_of(name)}

    def choose(self, count: int) -> None:
        """A person's wish; 0 = by load. Raises ConfigurationError."""
        self._scaler.choose(count or None)
        self._views.summary.feeds_chosen = count

    def follows(self, symbol: str) -> bool:
        return any(symbol in share for share in self._shares.values())

    def watch(self, symbol: str) -> None:
        self._market.expect([symbol])
        name = owner(symbol, self.names)
        if symbol not in self._shares[name]:
            self._shares[name].append(symbol)
        self._publish(WATCH, Watch(add=[symbol], feed=name))

    def unwatch(self, symbol: str) -> None:
        for kept in self._shares.values():
            if symbol in kept:
                kept.remove(symbol)
        self._publish(WATCH, Watch(remove=[symbol]))

    async def run(self) -> None:
        """Once a second, until it is cancelled: look at the load and act on it."""
        while True:
            await asyncio.sleep(EVERY)
            await self._rescue()
            await self._welcome()
            loads = self._loads()
            plan = self._capacity.plan(loads, self._rates(), sum(map(len, self._shares.values())))
            decision = self._scaler.decide(loads, self._clock.monotonic(), self._clock.now(), plan)
            if decision is not None:
                await self._act(decision)

    def _loads(self) -> list[WorkerLoad]:
        found = []
        for name in self.names:
            row, status = self._views.processes.get(name), self._market.feeds.get(name)
            cpu = row.cpu_percent / 100 if row is not None else 0.0
            found.append(WorkerLoad(name, cpu, (status.behind if status is not None else 0.0) / LAG_LIMIT))
        return found

    def _rates(self) -> dict[str, float]:
        """Messages/s of those that have told it."""
        feeds = self._market.feeds
        return {name: feeds[name].message_rate for name in self.names if name in feeds}

    async def _act(self, decision: Decision) -> None:
        moved: list[str] = []
        try:
            while len(self._shares) < decision.after:
                moved += await self._add()
            while len(self._shares) > decision.after:
                moved += await self._remove()
            outcome = f"{len(moved)} symbols moved"
        except (PaddockError, TimeoutError) as error:
            outcome = f"not done: {error}" if str(error) else "not done: the new feed was not ready in time"
            log.warning("%d feeds instead of %d: %s", len(self._shares), decision.after, outcome)
        self._tell(decision, outcome)

    async def _add(self) -> list[str]:
        name = min(self._resting, default="") or self._unused()
        self._shares[name] = []
        if name in self._resting:
            self._resting.discard(name)
        else:
            self._supervisor.add(self._make_spec(name, self.share_of))
        try:
            await self._supervisor.start([name])
            await self._supervisor.wait_state(name, (ProcessState.RUNNING,), STANDS_BY_WITHIN)
            return await self._settle()
        except (PaddockError, TimeoutError):
            await self._drop(name)
            raise

    def _unused(self) -> str:
        """Not the number after the last: one in the middle may be gone."""
        return next(name for n in range(2, len(self._shares) + 2) if (name := f"{FEED}-{n}") not in self._shares)

    async def _remove(self) -> list[str]:
        name = [name for name in self.names if name != FEED][-1]
        moved = await self._settle(without=name)
        await self._drop(name)
        return moved

    async def _settle(self, without: str = "") -> list[str]:
        """Give each symbol to the feed that it belongs to by its hash; returns those that moved."""
        wanted = shares([s for own in self._shares.values() for s in own], [n for n in self.names if n != without])
        moves: dict[tuple[str, str], list[str]] = {}
        for old, own in self._shares.items():
            for symbol in own:
                new = next(name for name, theirs in wanted.items() if symbol in theirs)
                if new != old:
                    moves.setdefault((old, new), []).append(symbol)
        await asyncio.gather(*(self._move(symbols, old, new) for (old, new), symbols in moves.items()))
        return [symbol for symbols in moves.values() for symbol in symbols]

    async def _move(self, symbols: list[str], old: str, new: str) -> None:
        """Raises TimeoutError when the new feed does not follow them in time; then they stay where they are."""
        moving = set(symbols)
        try:
            await self._say([Watch(add=symbols, feed=new, since=NEVER)], lambda: moving <= self._standing_by(new))
        except TimeoutError:
            self._publish(WATCH, Watch(remove=symbols, feed=new))
            raise
        at = self._tape() + int(LEAD * self._speed * NANOSECONDS)
        self._shares[old] = [symbol for symbol in self._shares[old] if symbol not in moving]
        self._shares[new] += symbols
        words = [Watch(add=symbols, feed=new, since=at), Watch(remove=symbols, feed=old, until=at)]
        await self._say(words, lambda: not moving & (self._standing_by(new) | self._followed_by(old)))
        log.info("%s moved from %s to %s", ", ".join(symbols), old, new)

    async def _say(self, words: list[Watch], heard: Callable[[], bool]) -> None:
        """Say it once a second until the feeds' own reports show that it was heard: what has just started may miss the
        first time, and to hear it twice changes nothing. Raises TimeoutError.
        """
        async with asyncio.timeout(STANDS_BY_WITHIN):
            while not heard():
                for word in words:
                    self._publish(WATCH, word)
                await asyncio.sleep(EVERY)

    async def _rescue(self) -> None:
        """A feed that has been stopped or given up leaves its symbols to the others, if one of them lives."""
        lost = [name for name in self.names if self._supervisor.state(name) in _LOST]
        for name in lost if len(lost) < len(self._shares) else ():
            before, symbols = len(self._shares), self._leave(name)
            log.warning("%s is gone; %d symbols went to the other feeds", name, len(symbols))
            if self._supervisor.state(name) is ProcessState.STOPPED:
                self._by_hand(before, f"{name} was stopped by a person", symbols)
                self._resting.add(name)
            else:
                await self._put_away(name)

    async def _welcome(self) -> None:
        """A feed that rested, and was started again by a person, has its symbols back."""
        for name in [name for name in self._resting if self._supervisor.state(name) is ProcessState.RUNNING]:
            self._resting.discard(name)
            before = len(self._shares)
            self._shares[name] = []
            await self._rescue()
            try:
                self._by_hand(before, f"{name} was started by a person", await self._settle())
            except TimeoutError:
                log.warning("%s runs again, but was not ready in time to follow all of its symbols", name)

    def _by_hand(self, before: int, reason: str, moved: list[str]) -> None:
        """Who stops or starts a feed has chosen how many there are."""
        count, limits = len(self._shares), self._scaler.limits
        self.choose(min(max(count, limits.least), limits.most))
        decision = Decision(at=self._clock.now(), before=before, after=count, reason=reason, by_hand=True)
        self._tell(decision, f"{len(moved)} symbols moved")

    async def _drop(self, name: str) -> None:
        self._leave(name)
        await self._put_away(name)

    async def _put_away(self, name: str) -> None:
        if name == FEED:
            self._resting.add(name)
        else:
            await self._supervisor.remove(name)

    def _leave(self, name: str) -> list[str]:
        """Its symbols to the others, at once."""
        symbols = self._shares.pop(name)
        moves: dict[tuple[str, int], list[str]] = {}
        for symbol in symbols:
            moves.setdefault((owner(symbol, self.names), self._said_until(symbol)), []).append(symbol)
        for (new, since), some in moves.items():
            self._shares[new] += some
            self._publish(WATCH, Watch(add=some, feed=new, since=since))
        self._market.feeds.pop(name, None)
        return symbols

    def _said_until(self, symbol: str) -> int:
        """The end of the newest candle of a second that was heard; 0 when there is none."""
        seconds = self._market.bars(symbol, Timeframe.SECOND_1, 0)
        return max((bar.timestamp + bar.timeframe.nanoseconds for bar in seconds if bar.closed), default=0)

    def _standing_by(self, name: str) -> set[str]:
        status = self._market.feeds.get(name)
        return set() if status is None else set(status.standing_by)

    def _followed_by(self, name: str) -> set[str]:
        status = self._market.feeds.get(name)
        return set() if status is None else set(status.symbols)

    def _tape(self) -> int:
        return max((row.timestamp for row in self._views.quotes), default=0) or self._clock.now()

    def _tell(self, decision: Decision, outcome: str) -> None:
        loads = ", ".join(f"{load.name} {load.share:.0%}" for load in decision.loads)
        row = ScalingRow(
            key=str(decision.at), timestamp=decision.at, before=decision.before, after=len(self._shares),
            reason=decision.reason, loads=loads, outcome=outcome,
        )  # fmt: skip
        self._views.scaling.put(row.key, row)
        log.info("feeds: %d, were %d: %s; %s", row.after, row.before, row.reason, outcome)
