"""The picture that the risk gate judges one order by, taken of everything the trading core knows at that moment."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from engine.broker.base import Broker
from engine.clock import Clock
from engine.domain.orders import Order, OrderRequest, Side
from engine.domain.portfolio import ZERO
from engine.portfolio.positions import EXTERNAL_SLEEVE
from engine.risk.breaker import RepetitionWatch
from engine.risk.context import Context
from engine.risk.groups import without
from engine.risk.valuation import working_value

if TYPE_CHECKING:
    from engine.execution.trading import Prices, TradingCore


class Pictures:
    def __init__(
        self,
        core: TradingCore,
        broker: Broker,
        prices: Prices,
        clock: Clock,
        repetition: RepetitionWatch,
        *,
        live: bool,
        mismatch: str,
    ) -> None:
        self._core = core
        self._broker = broker
        self._prices = prices
        self._clock = clock
        self._repetition = repetition
        self._live = live
        self._mismatch = mismatch

    def of(self, request: OrderRequest, *, emergency: bool = False, replaces: Order | None = None) -> Context:
        """`replaces` is the working order whose place the request is to take: its exposure is not counted beside it."""
        core, symbol, replaced = self._core, request.symbol, replaces is not None
        book, positions = core.ledger.book, core.ledger.positions
        return Context(
            limits=core.limits,
            trading_state=core.trading_state,
            ready=core.ready,
            account=core.account,
            market_open=core.session.market_open,
            extended_open=core.session.extended_open,
            asset=core.assets.get(symbol),
            price=self._prices(symbol),
            net_position=positions.net(symbol),
            sleeve_position=positions.get(symbol, request.sleeve).quantity,
            external_position=positions.get(symbol, EXTERNAL_SLEEVE).quantity,
            gross_exposure=self._exposure(replaces),
            working=self._beside(symbol, replaces),
            replaces=replaces,
            released=ZERO if replaces is None else self._released(replaces),
            open_count=book.open_count - replaced,
            recent=book.recent,
            sliced=self._sliced(request, replaces),
            paused_until=self._repetition.paused_until(request.sleeve, symbol),
            rate_used=self._broker.limit_used,
            now=self._clock.now(),
            monotonic=self._clock.monotonic(),
            live=self._live,
            mismatch=self._mismatch,
            emergency=emergency,
        )

    def mark(self, symbol: str) -> Decimal:
        """Dollars: the last price, or what the newest fill cost; 0 where there is neither."""
        view = self._prices(symbol)
        if view is not None and view.last > 0:
            return Decimal(repr(view.last))
        return max((p.last_price for p in self._core.ledger.positions if p.symbol == symbol), default=ZERO)

    def _exposure(self, replaces: Order | None) -> Decimal:
        ledger = self._core.ledger
        gross = ledger.gross_exposure(self.mark)
        if replaces is None:
            return gross
        symbol, price = replaces.symbol, self.mark(replaces.symbol)
        before = ledger.exposure_of(symbol, ledger.book.open_in(symbol), price)
        return gross - before + ledger.exposure_of(symbol, self._beside(symbol, replaces), price)

    def _beside(self, symbol: str, replaces: Order | None) -> list[Order]:
        """Open orders that can trade beside the one that is asked about."""
        working = self._core.ledger.book.open_in(symbol)
        return working if replaces is None else without(replaces, working)

    def _released(self, replaces: Order) -> Decimal:
        """Only a buy is sure to hold buying power."""
        return working_value(replaces, self.mark(replaces.symbol)) if replaces.side is Side.BUY else ZERO

    def _sliced(self, request: OrderRequest, replaces: Order | None) -> Decimal:
        if not request.parent_id:
            return ZERO
        sliced = self._core.ledger.book.sliced(request.parent_id)
        return sliced if replaces is None else sliced - replaces.remaining
