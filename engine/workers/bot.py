"""A bot: keeps a window of closed bars for each symbol, asks its strategy, and says what it wants to hold.

It has no keys and places no orders. Warm-up comes from the feed by request, so a bot that is started in the middle of
the day, or again after a crash, knows at once what it would have known. A wish is said when it changes, and the newest
again while it holds, because a signal lives for half a minute only and the engine may have been restarted meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import msgspec

from engine.clock import IdFactory
from engine.domain.errors import StrategyError
from engine.domain.market import Bar, Timeframe
from engine.processes.child import Child
from engine.strategies.base import Bars, FloatArray, Strategy
from engine.strategies.catalogue import build
from engine.strategies.review import SignalReview
from engine.strategies.window import BarWindow
from engine.streams.address import HubAddress
from engine.streams.base import Delivery
from engine.streams.messages import (
    BOT_STATUS,
    CANDLES,
    HISTORY_REPLY,
    HISTORY_REQUEST,
    REVISED_SIGNALS,
    SIGNALS,
    BotStatus,
    Candles,
    HistoryReply,
    HistoryRequest,
    RevisedSignal,
    RevisedSignals,
    Signal,
    Signals,
)
from engine.streams.transport import HubTransport, open_hub

log = logging.getLogger("bot")

MARGIN = 20
"""Bars kept beyond the warm-up."""
ASK_AGAIN = 2.0
"""Seconds until an unanswered request for history is repeated."""
REPEAT = 20.0
"""Seconds after which a wish that still holds is said again."""
MOST_FAILURES = 20
MATERIAL = 0.01
"""A smaller change of weight is no news."""


class Settings(msgspec.Struct, kw_only=True):
    name: str
    sleeve: str
    strategy: str
    symbols: list[str]
    timeframe: Timeframe
    hub: HubAddress
    parameters: dict[str, float | int | bool | str] = {}
    allow_short: bool = False


class Bot:
    def __init__(self, child: Child[Settings], transport: HubTransport) -> None:
        settings = child.settings
        self._child = child
        self._settings = settings
        self._transport = transport
        self._ids = IdFactory(child.clock)
        self._strategy: Strategy = build(settings.strategy, settings.parameters)
        size = self._strategy.warmup + MARGIN
        self._windows = {symbol: BarWindow(symbol, settings.timeframe, size) for symbol in settings.symbols}
        self._reviews = {symbol: SignalReview(self._weigh, MATERIAL) for symbol in settings.symbols}
        self._asked: dict[str, float] = {}
        self._said: dict[str, tuple[float, float]] = {}
        self._failures = 0
        self._signals = 0
        self._bars = 0
        self._last_bar_at = 0
        self._error = ""

    def take(self, batch: Sequence[Delivery]) -> None:
        fresh: set[str] = set()
        for delivery in batch:
            message = delivery.message
            if isinstance(message, Candles):
                fresh |= {bar.symbol for bar in message.bars if bar.closed and self._take_bar(bar)}
            elif isinstance(message, HistoryReply) and not message.error:
                window = self._windows.get(message.symbol)
                if window is not None and window.fill(message.bars):
                    fresh.add(message.symbol)
            elif isinstance(message, HistoryReply):
                self._error = message.error
        self._decide(fresh)

    def tick(self) -> None:
        """Once a second: ask for missing history, say again what holds, report."""
        now = self._child.clock.monotonic()
        for symbol, window in self._windows.items():
            if window.wants_history and now - self._asked.get(symbol, -ASK_AGAIN) >= ASK_AGAIN:
                self._asked[symbol] = now
                self._transport.publish(HISTORY_REQUEST, self._request(symbol, window))
        self._decide({symbol for symbol, (_, at) in self._said.items() if now - at >= REPEAT})
        self._transport.publish(
            BOT_STATUS,
            BotStatus(
                name=self._settings.name,
                bars_seen=self._bars,
                signals=self._signals,
                last_bar_at=self._last_bar_at,
                warm=all(not window.wants_history for window in self._windows.values()),
                error=self._error,
            ),
        )

    def _take_bar(self, bar: Bar) -> bool:
        window = self._windows.get(bar.symbol)
        if window is None:
            return False
        before = window.bars() if bar.revision else None
        is_newest = window.add(bar)
        if before is not None:
            self._review(bar, before, window.bars())
        if not is_newest:
            return False
        self._bars += 1
        self._last_bar_at = bar.timestamp
        self._child.progress()
        return True

    def _weigh(self, bars: Bars) -> FloatArray:
        weights = self._strategy.targets(bars).weight
        return weights if self._settings.allow_short else weights.clip(0.0)

    def _review(self, bar: Bar, before: Bars, after: Bars) -> None:
        """Say which signals this correction would have changed."""
        try:
            found = self._reviews[bar.symbol].look(before, after, bar.timestamp)
        except Exception as error:
            # A strategy is somebody's code; where it fails on its next decision too, that counts it.
            log.warning("%s cannot be asked about %s again: %s", self._settings.strategy, bar.symbol, error)
            return
        if not found:
            return
        settings, share = self._settings, 1 / len(self._windows)
        self._transport.publish(
            REVISED_SIGNALS,
            RevisedSignals(
                [
                    RevisedSignal(
                        signal_id=one.signal_id, sleeve=settings.sleeve, strategy=settings.strategy,
                        symbol=bar.symbol, timeframe=settings.timeframe, bar=bar.timestamp, revision=bar.revision,
                        as_of=int(after.timestamp[one.row]) + settings.timeframe.nanoseconds,
                        was=one.was * share, would_be=one.would_be * share,
                        price=float(after.close[one.row]), at=self._child.clock.now(),
                    )
                    for one in found
                ]
            ),
        )  # fmt: skip

    def _decide(self, symbols: set[str]) -> None:
        signals = [signal for symbol in sorted(symbols) if (signal := self._signal(symbol)) is not None]
        if signals:
            self._signals += len(signals)
            self._transport.publish(SIGNALS, Signals(signals))

    def _signal(self, symbol: str) -> Signal | None:
        window = self._windows[symbol]
        bars = window.bars()
        if window.wants_history or len(bars) < min(self._strategy.warmup, window.most):
            return None
        try:
            targets = self._strategy.targets(bars)
            weight, confidence = float(targets.weight[-1]), float(targets.confidence[-1])
            if not -1.0 <= weight <= 1.0:
                raise StrategyError(f"weight {weight} is not within -1 and 1")
            if not self._settings.allow_short:
                weight = max(weight, 0.0)
            self._failures = 0
        except Exception as error:
            # A strategy is somebody's code: whatever it raises is its author's to mend, and the next bar may do.
            self._failures += 1
            self._error = f"{type(error).__name__}: {error}"
            log.exception("%s failed on %s", self._settings.strategy, symbol, extra={"category": "AI"})
            if self._failures >= MOST_FAILURES:
                raise StrategyError(
                    f"{self._settings.strategy} failed {self._failures} times in a row: {error}", "Mend the strategy."
                ) from error
            return None
        now = self._child.clock.monotonic()
        before, at = self._said.get(symbol, (float("nan"), 0.0))
        if abs(weight - before) < MATERIAL and now - at < REPEAT:
            return None
        self._said[symbol] = (weight, now)
        if weight != before:
            log.info("%s: %.2f of the capital at %.2f", symbol, weight, bars.close[-1])
        signal_id = self._ids.ulid()
        self._reviews[symbol].said(signal_id, int(bars.timestamp[-1]))
        return Signal(
            signal_id=signal_id,
            sleeve=self._settings.sleeve,
            strategy=self._settings.strategy,
            symbol=symbol,
            weight=weight / len(self._windows),
            confidence=confidence,
            price=float(bars.close[-1]),
            as_of=int(bars.timestamp[-1]) + self._settings.timeframe.nanoseconds,
            made_at=self._child.clock.now(),
            reason=f"{self._settings.strategy} wants {f'{weight:+.0%}' if weight else 'to be flat'}",
        )

    def _request(self, symbol: str, window: BarWindow) -> HistoryRequest:
        return HistoryRequest(
            requester=self._settings.name,
            request_id=self._ids.ulid(),
            symbol=symbol,
            timeframe=self._settings.timeframe,
            limit=window.most,
        )


async def main(child: Child[Settings]) -> None:
    settings = child.settings
    transport = open_hub(settings.hub, settings.name, child.clock)
    await transport.start()
    bot = Bot(child, transport)
    subscription = transport.subscribe([CANDLES + settings.timeframe.value, HISTORY_REPLY + settings.name])
    child.ready(f"{settings.strategy} on {', '.join(settings.symbols)}")

    async def listen() -> None:
        async for batch in subscription:
            bot.take(batch)

    async def tick() -> None:
        while True:
            bot.tick()
            await asyncio.sleep(1.0)

    tasks = {asyncio.create_task(listen()), asyncio.create_task(tick()), asyncio.create_task(child.stopping.wait())}
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await transport.close()
    for task in done:
        task.result()
