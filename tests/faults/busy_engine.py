"""`python -m tests.faults.busy_engine SEED STEP COUNT ARGUMENTS…`: the real headless engine, which trades as fast as it may.

It says `reconciled` on stdout once its picture of the venue is right, trades after a line on stdin, and says `traded` after
its first orders. With a STEP it kills itself at the COUNT-th time that it gets there after it has traded.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

from engine.domain.errors import PaddockError
from engine.domain.events import TradingState
from engine.domain.orders import OrderRequest, OrderType, Side
from engine.orchestrator.engine import TradingEngine
from tests.faults.dying_engine import AT_THE_START, STEPS, Countdown
from tests.waiting import until

SYMBOLS = ("SPY", "AAPL", "NVDA", "TSLA")
HANDS = 3
"""Orders on their way at once."""
FIRST = 3
"""Orders that are placed before it says that it has traded."""
PATIENCE = 0.01
"""Seconds after a refusal."""
LONGEST = 60.0


def say(word: str) -> None:
    print(word, flush=True)


class Trader:
    """What a person and some bots could do at once, drawn from `seed`."""

    def __init__(self, engine: TradingEngine, seed: int, on_traded: Callable[[], None]) -> None:
        """`on_traded` is called once, when some orders are through that must not be lost."""
        self._engine = engine
        self._chance = random.Random(seed)
        self._on_traded = on_traded
        self._placed = 0

    async def trade(self) -> None:
        await until(lambda: self._engine._core.ready, LONGEST)
        say("reconciled")
        asked = asyncio.Event()
        asyncio.get_running_loop().add_reader(0, asked.set)
        await asked.wait()
        asyncio.get_running_loop().remove_reader(0)
        await self._engine.allow_trading()
        await asyncio.gather(*(self._work() for _ in range(HANDS)))

    async def _work(self) -> None:
        acts = [self._place, self._cancel, self._halt, self._stop]
        while True:
            (act,) = self._chance.choices(acts, (80, 15, 3, 2))
            try:
                await act()
            except PaddockError:
                await asyncio.sleep(PATIENCE)

    async def _place(self) -> None:
        request = self._request()
        if request is None or not self._engine.check_order(request).allowed:
            await asyncio.sleep(PATIENCE)
            return
        await self._engine.place_order(request)
        self._placed += 1
        if self._placed == FIRST:
            say("traded")
            self._on_traded()

    def _request(self) -> OrderRequest | None:
        """None while there is no price."""
        chance = self._chance
        symbol, side = chance.choice(SYMBOLS), chance.choice(list(Side))
        quote = self._engine._parts.market.quote(symbol)
        if quote is None:
            return None
        request = OrderRequest(symbol=symbol, side=side, quantity=Decimal(chance.randint(1, 3)))
        if chance.random() < 0.6:
            return request
        # Some fill at once, some later, some never.
        price = quote.last * (1 + chance.choice((-0.01, -0.0002, 0.0002, 0.01)))
        return OrderRequest(
            symbol=symbol, side=side, quantity=request.quantity, type=OrderType.LIMIT,
            limit_price=Decimal(f"{price:.2f}"),
        )  # fmt: skip

    async def _cancel(self) -> None:
        working = list(self._engine._core.ledger.book.open)
        if working:
            await self._engine.cancel_order(self._chance.choice(working).client_order_id)

    async def _halt(self) -> None:
        core = self._engine._core
        await core.set_trading_state(TradingState.HALTED, "a moment's doubt")
        await core.set_trading_state(TradingState.ACTIVE, "")

    async def _stop(self) -> None:
        await self._engine.emergency_stop("a moment's fear", flatten=self._chance.random() < 0.5)
        await self._engine.allow_trading()


def trade_by_itself(seed: int, on_traded: Callable[[], None]) -> None:
    start: Callable[[TradingEngine], Coroutine[Any, Any, None]] = TradingEngine.start

    async def start_and_trade(self: TradingEngine) -> None:
        await start(self)
        self._busy = asyncio.create_task(Trader(self, seed, on_traded).trade())  # type: ignore[attr-defined]

    TradingEngine.start = start_and_trade  # type: ignore[method-assign]


def main() -> None:
    seed, step, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    countdown = Countdown(count)
    if step:
        STEPS[step](countdown)
    if step in AT_THE_START:
        countdown.arm()
    trade_by_itself(seed, countdown.arm)
    from engine.cli.app import app

    app(sys.argv[4:])


if __name__ == "__main__":
    main()
