"""One line of market data: a source, those that stand in for it, and what waits while missed trades are read."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from engine.domain.errors import PaddockError
from engine.market.batch import Batch
from engine.market.processor import Processor
from engine.market.sources.base import Source, SourceState
from engine.market.sources.watchdog import ChannelState, Watchdog

log = logging.getLogger(__name__)

CATCH_UP_PAUSE = 2.0
MOST_HELD = 100_000
"""Prints that wait while missed trades are read; beyond it they are worked on at once."""
FAILOVER_AFTER = 20.0
"""Seconds without a working source after which the next one stands in."""
RETURN_AFTER = 10.0
"""Seconds that the first source must work before the one that stands in is let go."""

MakeSource = Callable[[bool], Sequence[Source]]
Change = tuple[str, str, str, str]
"""Channel, what it was, what it is, and words for a person."""


class Line:
    """Runs from its creation until `close`. `catch_up` reads what was missed; `ended` hears why a source is lost."""

    def __init__(
        self,
        sources: Sequence[Source],
        symbols: Iterable[str],
        processor: Processor,
        catch_up: Callable[[], Awaitable[None]],
        ended: Callable[[BaseException], None],
    ) -> None:
        self._sources = list(sources)
        self._first = self._sources[0]
        self._first.symbols = set(symbols)
        self._processor = processor
        self._catch_up = catch_up
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._dogs = [Watchdog() for _ in self._sources]
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._reading: asyncio.Task[None] | None = None
        self._held: list[Batch] | None = None
        self._held_prints = 0
        self._holders = 0
        self._works_since = -1.0
        self._fails_since = self._loop.time()
        self._start(0)

    @property
    def name(self) -> str:
        return self._sources[self.active].name

    @property
    def active(self) -> int:
        """The number of the source whose word counts: the last one started."""
        return max(self._tasks, default=0)

    @property
    def connected(self) -> bool:
        return any(self._sources[number].state is SourceState.SUBSCRIBED for number in self._tasks)

    @property
    def caught_up(self) -> bool:
        """Whether what was missed before the connection, or before the newest symbols, has been read."""
        return self.connected and self._reading is not None and self._reading.done() and not self._holders

    @property
    def last_at(self) -> float:
        """By the loop's clock; -1 = nothing yet."""
        return max(dog.last_at if any(c.messages for c in dog.channels.values()) else -1.0 for dog in self._dogs)

    @property
    def prints(self) -> int:
        """That came in so far, whatever became of them."""
        return sum(dog.channels["trades"].messages for dog in self._dogs)

    @property
    def error(self) -> str:
        return self._first.error

    @property
    def reconnects(self) -> int:
        return sum(source.reconnects for source in self._sources)

    @property
    def conflated(self) -> int:
        return sum(source.conflated for source in self._sources)

    @property
    def shed(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for source in self._sources:
            found.update(source.shed)
        return found

    @property
    def refused(self) -> set[str]:
        """Symbols that the source in use was asked for in vain."""
        return set(self._sources[self.active].refused)

    @property
    def fallback(self) -> str:
        return self.name if self.active else ""

    @property
    def channels(self) -> dict[str, str]:
        return {name: channel.state.value for name, channel in self._dogs[self.active].channels.items()}

    async def subscribe(self, symbols: Iterable[str]) -> None:
        for number in self._tasks:
            await self._sources[number].subscribe(symbols)

    async def unsubscribe(self, symbols: Iterable[str]) -> None:
        for number in self._tasks:
            await self._sources[number].unsubscribe(symbols)

    async def close(self) -> None:
        tasks = [*self._tasks.values(), *([self._reading] if self._reading else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def look(self, market_open: bool, venue_time: int) -> list[Change]:
        """Once a second: leave what is mute, call in the next source or send it away; what changed."""
        now = self._loop.time()
        changes: list[Change] = []
        for number in sorted(self._tasks):
            source, dog = self._sources[number], self._dogs[number]
            for channel, was, state in ((c.channel, c.was, c.now) for c in dog.look(now, market_open, venue_time)):
                words = f"{source.name}: {channel} {_WORDS[state]}"
                changes.append((channel, was.value, state.value, words))
            if dog.mute and source.state is SourceState.SUBSCRIBED:
                source.reconnect(
                    f"{source.name} has been silent for too long while the market is open ({', '.join(dog.mute)})"
                )
        return changes + self._fail_over(now)

    def _fail_over(self, now: float) -> list[Change]:
        source = self._first
        if source.state is SourceState.SUBSCRIBED and self._dogs[0].worst is not ChannelState.MUTE:
            self._fails_since = -1.0
            self._works_since = now if self._works_since < 0 else self._works_since
            if self.active and now - self._works_since > RETURN_AFTER:
                return [self._send_away(self.active)]
            return []
        self._works_since = -1.0
        self._fails_since = now if self._fails_since < 0 else self._fails_since
        following = self.active + 1
        if now - self._fails_since > FAILOVER_AFTER * following and following < len(self._sources):
            return [self._call_in(following)]
        return []

    def _call_in(self, number: int) -> Change:
        source = self._sources[number]
        source.symbols = set(self._first.symbols)
        if not source.has_quotes:
            self._processor.forget_quotes(source.symbols)
        self._start(number)
        return "source", self._first.name, "fallback", f"{source.name} stands in for the {self._first.name}"

    def _send_away(self, number: int) -> Change:
        for at in [at for at in self._tasks if at]:
            self._tasks.pop(at).cancel()
        away = self._sources[number].name
        return "source", away, "live", f"{self._first.name} works again; {away} is let go"

    def _start(self, number: int) -> None:
        self._tasks[number] = task = asyncio.create_task(self._follow(number), name=self._sources[number].name)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._ended(error)

    async def _follow(self, number: int) -> None:
        source, dog = self._sources[number], self._dogs[number]
        now = self._loop.time
        async for batch in source:
            if batch.fresh:
                dog.began(now())
                self._read_missed()
            dog.heard(batch, now())
            self._take(batch)

    def _take(self, batch: Batch) -> None:
        if self._held is None:
            self._processor.take(batch)
            return
        self._processor.check(batch)
        self._held_prints += len(batch.trades)
        self._held.append(batch)
        if self._held_prints > MOST_HELD:
            self._let_go()
            self._held = []

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Let what streams in wait meanwhile."""
        self._held = self._held if self._held is not None else []
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                self._let_go()

    def _let_go(self) -> None:
        """As one batch: the tape's time is already that of the newest, and would close candles between two of them."""
        held, self._held, self._held_prints = self._held or [], None, 0
        if held:
            self._processor.build(_joined(held))

    def _read_missed(self) -> None:
        """Hold from now on and not from when the task runs: what came next would move the candles on beyond the gap."""
        if self._reading is not None:
            self._reading.cancel()
        holding = ExitStack()
        holding.enter_context(self.hold())
        self._reading = asyncio.create_task(self._read(holding), name="read what was missed")
        self._reading.add_done_callback(lambda _: holding.close())

    async def _read(self, holding: ExitStack) -> None:
        """Until it worked, or the next connection begins."""
        while True:
            try:
                with holding:
                    return await self._catch_up()
            except PaddockError as error:
                log.warning("%s: what was missed cannot be read yet: %s", self.name, error.message)
            await asyncio.sleep(CATCH_UP_PAUSE)
            holding.enter_context(self.hold())


def _joined(batches: Sequence[Batch]) -> Batch:
    return Batch(
        trades=[trade for batch in batches for trade in batch.trades],
        bars=[bar for batch in batches for bar in batch.bars],
        corrections=[correction for batch in batches for correction in batch.corrections],
    )


_WORDS = {
    ChannelState.WAITING: "wait for the first message",
    ChannelState.LIVE: "come in",
    ChannelState.QUIET: "are quiet, and need not be otherwise",
    ChannelState.LATE: "come late: the tape lies behind the venue's clock",
    ChannelState.MUTE: "are mute although the market is open",
}
