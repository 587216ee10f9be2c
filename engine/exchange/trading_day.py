"""The market's day: prints and quotes reach the matching engine, and its phases, auctions and halts come in their turn."""

from __future__ import annotations

import math
from collections.abc import Callable

from engine.domain.market import Quote, Trade
from engine.domain.orders import TimeInForce
from engine.exchange.conditions import is_auction
from engine.exchange.matching import MatchingEngine
from engine.exchange.orders import Update
from engine.exchange.phases import Agenda, Phase, Turn
from engine.exchange.prices.events import Status, TapeEvent

_OPENING, _CLOSING = "O", "6"
"""Sale conditions of auction prints, as the tapes of CTA and UTP write them."""
_OPENING_FLAG, _CLOSING_FLAG = 0x40, 0x80
"""The same in recordings, whose conditions are AlgoSeek's bit flags in hexadecimal, two digits or more."""


class TradingDay:
    """`last_price` values a symbol whose auction does not print, `book` takes the updates, `end_day` is called at each
    close.
    """

    def __init__(
        self,
        engine: MatchingEngine,
        agenda: Agenda,
        now: int,
        last_price: Callable[[str], float],
        book: Callable[[list[Update]], None],
        end_day: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._agenda = agenda
        self._last_price = last_price
        self._book = book
        self._end_day = end_day
        self._next = agenda.next(now, engine.phase)

    @property
    def boundary(self) -> int:
        """When the day turns next."""
        return self._next[0]

    def on_event(self, event: TapeEvent) -> None:
        if isinstance(event, Quote):
            self._book(self._engine.on_quote(event))
        elif isinstance(event, Trade):
            self._book(self._engine.on_trade(event))
            if is_auction(event.conditions) and (kind := auction_of(event)) is not None:
                self._auction_print(event, kind)
        elif isinstance(event, Status):
            (self._engine.halt if event.is_halt else self._engine.resume)(event.symbol)

    def advance(self, now: int) -> None:
        """Orders that were under way arrive though nothing is printed."""
        self._book(self._engine.advance(now))

    def turn(self) -> None:
        """The boundary has come."""
        now, turn = self._next
        match turn:
            case Turn.OPEN:
                self._book(self._engine.turn(Phase.REGULAR, now))
            case Turn.CLOSE:
                self._close(now)
            case Turn.PRE_OPEN:
                self._book(self._engine.turn(Phase.EXTENDED, now))
            case Turn.POST_CLOSE:
                self._book(self._engine.turn(Phase.CLOSED, now))
            case Turn.OPENED:
                self._end_auctions(TimeInForce.OPG, now)
            case Turn.CLOSED:
                self._end_auctions(TimeInForce.CLS, now)
        self._next = self._agenda.next(now, self._engine.phase)

    def _close(self, now: int) -> None:
        continuous = self._agenda.is_continuous
        self._book(self._engine.turn(Phase.CLOSED if continuous else Phase.EXTENDED, now))
        self._end_day()
        if continuous:
            self._end_auctions(TimeInForce.CLS, now)
            self._book(self._engine.turn(Phase.REGULAR, now))
            self._end_auctions(TimeInForce.OPG, now)

    def _auction_print(self, trade: Trade, kind: TimeInForce) -> None:
        """Opening prints before the open are those of other markets, and no auction of ours."""
        if kind is TimeInForce.CLS or self._engine.phase is Phase.REGULAR:
            self._book(self._engine.auction(trade.symbol, kind, trade.price, trade.size, trade.timestamp))

    def _end_auctions(self, kind: TimeInForce, now: int) -> None:
        """Where no auction has printed, the last price is the official one."""
        for symbol in self._engine.waiting_for(kind):
            self._book(self._engine.auction(symbol, kind, self._last_price(symbol), math.inf, now))


def auction_of(trade: Trade) -> TimeInForce | None:
    """The auction that this print is the result of."""
    for condition in trade.conditions:
        flags = _flags(condition)
        if condition == _OPENING or flags & _OPENING_FLAG:
            return TimeInForce.OPG
        if condition == _CLOSING or flags & _CLOSING_FLAG:
            return TimeInForce.CLS
    return None


def _flags(condition: str) -> int:
    if len(condition) < 2:
        return 0
    try:
        return int(condition, 16)
    except ValueError:
        return 0
