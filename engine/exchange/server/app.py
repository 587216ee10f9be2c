"""The exchange as one object: it opens a port, lets the market run, and serves until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import logging
from types import TracebackType

from aiohttp import web

from engine.clock import Clock, SystemClock
from engine.domain.errors import UnavailableError
from engine.domain.market import NANOSECONDS
from engine.exchange.server.account import AccountRoutes
from engine.exchange.server.admin import AdminRoutes
from engine.exchange.server.auctions import AuctionRoutes
from engine.exchange.server.contracts import ContractRoutes
from engine.exchange.server.corporate import CorporateRoutes
from engine.exchange.server.data_stream import DataStreams
from engine.exchange.server.fakepaca import fakepaca
from engine.exchange.server.floor import Counters, Floor
from engine.exchange.server.history import HistoryRoutes
from engine.exchange.server.http import MAX_BODY, Gate
from engine.exchange.server.market_control import MarketControl, play_again
from engine.exchange.server.marketdata import MarketDataRoutes
from engine.exchange.server.options import ExchangeOptions
from engine.exchange.server.reference import ReferenceRoutes
from engine.exchange.server.screener import ScreenerRoutes
from engine.exchange.server.setup import Saved, build_market, build_venue, recording, state_file
from engine.exchange.server.switchboard import Faults
from engine.exchange.server.trade_stream import TradeStreams
from engine.exchange.server.trading import TradingRoutes
from engine.exchange.server.watchlists import WatchlistRoutes
from engine.exchange.store import MarketState, Store
from engine.exchange.venue import Venue
from engine.exchange.venue_clock import VenueClock

FLUSH = 0.025
"""Seconds between two steps of the market, and so between two frames of a stream."""
STEP = 20 * NANOSECONDS
"""The most venue time in one step, so that a fast replay leaves room for requests."""
SAVE = 2.0
"""Seconds between two notes of where the market stands, which is what a killed exchange takes up again."""
SAMPLE = 60 * NANOSECONDS
"""Venue time between two points of the portfolio history."""

_log = logging.getLogger("exchange")


class ExchangeServer:
    """`async with ExchangeServer(options) as server: server.url`. The market runs from the moment it is entered.

    With `beside`, which runs already, its prices are another venue's around the same mids.

    Raises UnavailableError for a port or state folder in use, DataError for a recording that cannot be read.
    """

    def __init__(
        self,
        options: ExchangeOptions | None = None,
        clock: Clock | None = None,
        *,
        beside: ExchangeServer | None = None,
    ) -> None:
        self._beside = beside
        self.options = options or ExchangeOptions()
        self._clock = clock or SystemClock()
        self._runner: web.AppRunner | None = None
        self._pump_task: asyncio.Task[None] | None = None
        self._store: Store | None = None
        self._floor: Floor | None = None
        self._origin: float | None = None
        self._away: float | None = None
        self._port = 0
        self.url = ""

    @property
    def floor(self) -> Floor:
        if self._floor is None:
            raise RuntimeError("the exchange has not been started")
        return self._floor

    @property
    def venue(self) -> Venue:
        return self.floor.venue

    @property
    def counters(self) -> Counters:
        return self.floor.counters

    async def __aenter__(self) -> ExchangeServer:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        try:
            self._open_books(Faults(), Counters())
            await self._listen()
        except BaseException:
            await self.close()
            raise
        self._pump_task = asyncio.create_task(self._pump(), name="exchange market")

    def _open_books(self, faults: Faults, counters: Counters) -> None:
        options = self.options
        # A simulation goes by wall time from the moment it is asked for; a recording waits until it is loaded.
        self._origin = None if options.replay is not None else self._clock.monotonic()
        beside = None
        if self._beside is not None:
            self._origin, beside = self._beside._origin, self._beside.venue.source
        self._store = Store(options.state, state_file(options))
        saved = Saved(self._store)
        source, sessions = build_market(options, self._clock.now(), saved, beside)
        venue = build_venue(options, source, sessions, saved)
        clock = VenueClock(self._clock, source.start, options.speed, self._origin)
        self._floor = Floor(options, venue, clock, faults, self._store, counters)

    async def wait(self, stop: asyncio.Event) -> None:
        """Returns when `stop` is set. Raises whatever stops the market before that."""
        if self._pump_task is None:
            raise RuntimeError("the exchange has not been started")
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({stopped, self._pump_task}, return_when=asyncio.FIRST_COMPLETED)
            if self._pump_task.done():
                self._pump_task.result()
        finally:
            stopped.cancel()
            await asyncio.gather(stopped, return_exceptions=True)

    async def close(self) -> None:
        if self._pump_task is not None:
            self._pump_task.cancel()
            await asyncio.gather(self._pump_task, return_exceptions=True)
            self._pump_task = None
        await self._stop_listening()
        await self._close_books()

    async def _stop_listening(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _close_books(self) -> None:
        if self._store is not None:
            if self._floor is not None and self._floor.failure is None:
                await self._floor.commit()
                await self._store.write_market(self._market_state())
            self._store.close()
            self._store = None

    def restart(self, seconds: float) -> None:
        """Before its next step the exchange closes every socket, stays away for `seconds`, reads its state folder and
        serves again on the same port. Without a state folder the market goes on meanwhile and the books are kept.
        """
        self._away = seconds

    async def _restart(self, seconds: float) -> None:
        floor = self.floor
        await self._stop_listening()
        if self.options.state is not None:
            await self._close_books()
        await asyncio.sleep(seconds)
        if self.options.state is not None:
            self._open_books(floor.faults, floor.counters)
        await self._listen()
        self.floor.set_lag()

    def _market_state(self) -> MarketState:
        venue = self.venue
        known = {symbol: tape.last_price for symbol, tape in venue.tape.symbols.items() if tape.last_price > 0}
        levels = {symbol: venue.prices.level(symbol, price) for symbol, price in known.items()}
        return MarketState(levels=levels, recording=recording(self.options, venue.source), at=venue.now)

    async def _listen(self) -> None:
        floor = self.floor
        floor.forget_listeners()
        self._data = DataStreams(floor)
        self._trading = TradeStreams(floor)
        app = web.Application(middlewares=[Gate(floor).handle], client_max_size=MAX_BODY)
        app.on_shutdown.append(self._drop_all)
        for part in (
            TradingRoutes,
            AccountRoutes,
            HistoryRoutes,
            CorporateRoutes,
            AuctionRoutes,
            MarketDataRoutes,
            ScreenerRoutes,
            MarketControl,
            WatchlistRoutes,
            ContractRoutes,
        ):
            app.add_routes(part(floor).routes())
        app.add_routes(ReferenceRoutes().routes())
        app.add_routes(AdminRoutes(floor, self._drop, self.restart).routes())
        app.add_routes([*self._data.routes(), *self._trading.routes()])
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        await self._bind(self._runner)

    async def _bind(self, runner: web.AppRunner) -> None:
        host, port = self.options.host, self._port or self.options.port
        try:
            await web.TCPSite(runner, host, port, reuse_address=True).start()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise UnavailableError(
                    f"Port {port} on {host} is in use.",
                    "Stop the program that uses it, choose another with --port, or take a free one with --port 0.",
                ) from error
            raise UnavailableError(
                f"The exchange cannot listen on {host} port {port}: {error.strerror or error}.",
                "Choose an address of this machine and a port above 1023.",
            ) from error
        self._port = runner.addresses[0][1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    async def _drop_all(self, app: web.Application) -> None:
        self._drop("all")

    def _drop(self, stream: str) -> None:
        if stream in ("data", "all"):
            self._data.drop()
        if stream in ("trading", "all"):
            self._trading.drop()

    async def _pump(self) -> None:
        try:
            sampled = self.floor.now()
            saved = self._clock.monotonic() - SAVE
            while True:
                if (away := self._away) is not None:
                    self._away = None
                    await self._restart(away)
                behind = await self._step()
                now = self.floor.venue.now
                if now - sampled >= SAMPLE:
                    sampled = now
                    await self.floor.store.write_samples(self.floor.venue.sample_equity(now))
                if self.floor.store.is_durable and self._clock.monotonic() - saved >= SAVE:
                    saved = self._clock.monotonic()
                    await self.floor.store.write_market(self._market_state())
                await asyncio.sleep(0 if behind else FLUSH)
        except Exception:
            _log.exception("the market has stopped")
            raise

    async def _step(self) -> bool:
        """Advance the market to venue time, publish what it brought; True when there is more to catch up with."""
        floor = self.floor
        play_again(floor)
        venue = floor.venue
        before, target = venue.now, floor.clock.now()
        until = min(target, before + STEP)
        if until <= before:
            return False
        floor.counters.steps += 1
        market = venue.advance(until)
        await floor.commit()
        days = [day for bar in market.minutes if (day := venue.tape.symbols[bar.symbol].today(until)) is not None]
        self._data.publish(market.events, market.minutes, venue.tape.take_revised(), days)
        self._data.publish_test(*fakepaca(before, until))
        return until < target
