"""The exchange without its sockets: the market advances, orders are taken, fills are booked. No I/O.

Everything that changed is collected as `Changes` for the server to make durable and then to publish, in that order.
"""

from __future__ import annotations

from decimal import Decimal
from random import Random

import msgspec

from engine.domain.market import NANOSECONDS
from engine.domain.orders import OrderStatus, OrderType, Side, TimeInForce
from engine.exchange import rules
from engine.exchange.accounts import Hold
from engine.exchange.archive import Archive
from engine.exchange.assets import Catalogue
from engine.exchange.booking import Books
from engine.exchange.changes import Market, Sample
from engine.exchange.corporate import Calendar
from engine.exchange.desk import Desk, open_desk
from engine.exchange.exits import OCO, Exits, check_exits
from engine.exchange.fills import AlpacaFill, FillModel
from engine.exchange.groups import Groups
from engine.exchange.house import House
from engine.exchange.intake import open_record
from engine.exchange.matching import MatchingEngine
from engine.exchange.orders import AUCTIONS, Update
from engine.exchange.phases import Agenda, Phase
from engine.exchange.prices.acted import ActedPrices
from engine.exchange.prices.base import PriceSource
from engine.exchange.records import OrderRecord
from engine.exchange.refusals import Refusal, forbidden, invalid, not_found, unprocessable
from engine.exchange.registrar import Registrar
from engine.exchange.replacement import replacement
from engine.exchange.sessions import Sessions
from engine.exchange.tape import TICK_LIMIT, Tape
from engine.exchange.ticket import Ticket
from engine.exchange.trading_day import TradingDay
from engine.exchange.triggers import to_decimal

ACCOUNT_LIMIT = 10_000
_UUID_CLEAR, _UUID_4 = ~(0xF << 76 | 0x3 << 62), 0x4 << 76 | 0x2 << 62


class Venue:
    """`seed` must differ from one run on the same state to the next, or ids would repeat."""

    def __init__(
        self,
        source: PriceSource,
        sessions: Sessions,
        *,
        seed: int | str = 0,
        model: FillModel | None = None,
        tick_limit: int = TICK_LIMIT,
        archive: Archive | None = None,
        house: House | None = None,
        actions: Calendar | None = None,
    ) -> None:
        actions = Calendar() if actions is None else actions
        house = house or House()
        self.catalogue = Catalogue(source.symbols, house.not_shortable, house.hard_to_borrow)
        self.sessions = sessions
        self.source = source
        self.prices = ActedPrices(source, actions)
        self.tape = Tape(self.prices, tick_limit)
        self.orders_taken = 0
        self._random = Random(f"{seed}/ids")
        self._now = source.tape_start
        self._agenda = Agenda(sessions)
        phase = self._agenda.phase(source.tape_start)
        self._engine = MatchingEngine(AlpacaFill() if model is None else model, seed=f"{seed}/fills", phase=phase)
        self.books = Books(self._engine.get, archive, house.fees)
        self._groups = Groups(self._engine, self.books, self._book)
        self.registrar = Registrar(actions, self.books, self._groups, self._engine, self.tape)
        self._day = TradingDay(self._engine, self._agenda, self._now, self._last_price, self._book, self._end_day)
        self._catch_up(source.start)

    @property
    def desks(self) -> dict[str, Desk]:
        return self.books.desks

    @property
    def is_open(self) -> bool:
        """Whether stocks trade."""
        return self._engine.phase is Phase.REGULAR

    @property
    def now(self) -> int:
        """How far the market has run."""
        return self._now

    def desk(self, account_id: str, now: int) -> Desk:
        """The desk of an account, opened with its starting cash the first time."""
        desk = self.desks.get(account_id)
        if desk is None:
            if len(self.desks) >= ACCOUNT_LIMIT:
                raise forbidden(f"this exchange keeps {ACCOUNT_LIMIT} accounts; restart it without its state")
            desk = self.desks[account_id] = open_desk(account_id, now, self.books.archive)
            self.books.touch(desk.account)
        return desk

    def price_of(self, symbol: str) -> Decimal:
        """The price positions are valued at; 0 when none is known."""
        return to_decimal(self._last_price(symbol))

    def _last_price(self, symbol: str) -> float:
        return self.tape.symbols[symbol].last_price

    def ask_of(self, symbol: str) -> Decimal:
        quote = self.tape.symbols[symbol].quote
        if quote is not None and quote.ask_price > 0:
            return to_decimal(quote.ask_price)
        return self.price_of(symbol)

    def advance(self, now: int) -> Market:
        """Let the market run to venue time `now`, through every opening and close on the way."""
        market = Market()
        while (due := self.registrar.calendar.next_due) <= now:
            self._advance(max(due, self._now), market)
            self.registrar.act(self._now)
        self._advance(now, market)
        self.books.follow_marks()
        return market

    def _advance(self, now: int, market: Market) -> None:
        while self._day.boundary <= now:
            self._run(self._day.boundary, market)
            self._day.turn()
        self._run(now, market)

    def halt(self, symbol: str, seconds: float) -> None:
        """Stop a symbol from trading for that long from now. Raises Refusal for one that is not traded here."""
        if symbol not in self.tape.symbols:
            raise not_found(f"symbol not found: {symbol}")
        self.source.halt(symbol, self._now + 1, seconds)

    def _catch_up(self, until: int) -> None:
        """Run to the start, through the corporate actions of an earlier run."""
        for action in self.registrar.calendar.taken(self._now, until):
            self._run_quietly(action.effective_at)
            self.registrar.move_price(action)
        self._run_quietly(until)

    def _run_quietly(self, until: int) -> None:
        """A minute at a time, so that the whole past is never in memory at once."""
        while self._now < until:
            self._advance(min(self._now + 60 * NANOSECONDS, until), Market())

    def submit(self, desk: Desk, ticket: Ticket, now: int, replaces: OrderRecord | None = None) -> OrderRecord:
        """Take an order. Raises Refusal; then nothing has changed. Returns the order as it was accepted, before it
        met the market: what follows is published as updates.
        """
        record, hold = self._prepare(desk, ticket, now, replaces)
        accepted = self._accept(desk, record, hold, ticket.exits)
        self._book(self._engine.submit(record.to_book(), now))
        if record.order_class == OCO:
            self._groups.activate(desk, record, now)
        return accepted

    def cancel(self, desk: Desk, order_id: str, now: int) -> None:
        record = self.order(desk, order_id)
        if record.status is OrderStatus.CANCELED:
            return
        if not record.is_open:
            raise unprocessable(f'order is already in "{record.status.value}" state')
        self._groups.cancel(record, now)

    def cancel_all(self, desk: Desk, now: int) -> list[str]:
        records = list(desk.open.values())
        for record in records:
            if record.is_open:
                self._groups.cancel(record, now)
        return [record.order_id for record in records]

    def replace(self, desk: Desk, order_id: str, changed: dict[str, object], now: int) -> OrderRecord:
        """Put a changed order in the place of a working one. `changed` holds Ticket fields; `quantity` is the total,
        what has been filled included. Raises Refusal, and then the old order stands as before.
        """
        old = self.order(desk, order_id)
        ticket = replacement(old, changed, self.catalogue)
        if "quantity" in changed and (old.parent_id or old.order_class == OCO):
            raise unprocessable("the quantity of an exit follows from its group")
        held = desk.account.take_hold(old.order_id)
        try:
            record, hold = self._prepare(desk, ticket, now, old)
        except Refusal:
            if held is not None:
                desk.account.hold(old.order_id, held)
            raise
        self._groups.inherit(desk, old, record)
        accepted = self._accept(desk, record, hold)
        self._book(self._engine.replace(old.order_id, record.to_book(), now))
        return accepted

    def close_position(self, desk: Desk, symbol: str, quantity: Decimal | None, now: int) -> OrderRecord:
        """A market order against the position; all of it where `quantity` is None."""
        position = desk.account.quantity(symbol)
        asset = self.catalogue.find(symbol)
        if asset is None or position == 0:
            raise not_found(f"position does not exist: {symbol}")
        amount = abs(position) if quantity is None else quantity
        ticket = Ticket(
            asset=asset,
            side=Side.SELL if position > 0 else Side.BUY,
            type=OrderType.MARKET,
            time_in_force=TimeInForce.GTC if asset.is_crypto else TimeInForce.DAY,
            quantity=amount,
        )
        if amount > abs(position):
            raise forbidden(
                f"insufficient qty available for order (requested: {amount:f}, available: {abs(position):f})"
            )
        return self.submit(desk, ticket, now)

    def order(self, desk: Desk, order_id: str) -> OrderRecord:
        record = desk.find(order_id)
        if record is None:
            raise not_found(f"order not found for {order_id}")
        return record

    def restore(self, desk: Desk, records: list[OrderRecord]) -> None:
        """Give a desk its orders of an earlier run; the open ones go back into the book with what they hold."""
        self.desks[desk.account_id] = desk
        for record in records:
            self.books.add(desk, record)
            if not record.is_open or record.status is OrderStatus.HELD:
                continue
            self._engine.restore(
                record.to_book(), record.filled_quantity, record.high_water_mark, triggered=record.is_triggered
            )
            if record.covered_by:
                continue
            desk.account.hold(record.order_id, rules.held_by(record, desk.account, self.ask_of(record.symbol)))
        desk.restored()

    def sample_equity(self, now: int) -> list[Sample]:
        """A point of every account's portfolio history."""
        return [Sample(key, now, desk.account.equity(self.price_of)) for key, desk in self.desks.items()]

    def new_id(self) -> str:
        """A UUID of version 4; the class of the standard library takes three times as long."""
        text = f"{self._random.getrandbits(128) & _UUID_CLEAR | _UUID_4:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def _run(self, until: int, market: Market) -> None:
        if until < self._now:
            return
        for event in self.prices.step(until):
            bar = self.tape.on_event(event, self.is_open)
            if bar is not None:
                market.minutes.append(bar)
            self._day.on_event(event)
            market.events.append(event)
        self._now = until
        self._day.advance(until)
        market.minutes += self.tape.close_minutes(until)

    def _end_day(self) -> None:
        self.books.close_day(self._now, self.price_of)

    def _prepare(
        self, desk: Desk, ticket: Ticket, now: int, replaces: OrderRecord | None
    ) -> tuple[OrderRecord, Hold | None]:
        account, symbol = desk.account, ticket.symbol
        rules.check_room(len(desk.open))
        if account.configuration.get("suspend_trade"):
            raise forbidden("new orders are rejected by user request")
        if ticket.client_order_id and desk.find_client(ticket.client_order_id) is not None:
            raise invalid("client_order_id must be unique")
        if ticket.time_in_force in AUCTIONS:
            self._agenda.check_window(ticket.time_in_force, now)
        ask = self.ask_of(symbol)
        quantity = rules.order_quantity(ticket, ask)
        rules.check_cost(ticket, quantity, ask)
        if ticket.exits is not None:
            check_exits(ticket.exits, ticket.side, ticket.limit_price or ask)
        against = desk.open_side(symbol, ticket.side.opposite)
        rules.check_wash_trade(ticket, (other for other in against if other is not replaces))
        covered = replaces is not None and replaces.covered_by
        hold = None if covered else rules.reserve(ticket, quantity, account, self.price_of, ask)
        return open_record(desk, ticket, quantity, now, replaces, self.new_id), hold

    def _accept(self, desk: Desk, record: OrderRecord, hold: Hold | None, exits: Exits | None = None) -> OrderRecord:
        self.books.add(desk, record)
        if hold is not None:
            desk.account.hold(record.order_id, hold)
        if exits is not None:
            self._groups.make_legs(desk, record, exits, self.new_id)
        self.orders_taken += 1
        return msgspec.structs.replace(record)

    def _book(self, updates: list[Update]) -> None:
        for update in updates:
            self._groups.react(self.books.book(update), update)
