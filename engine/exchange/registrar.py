"""Corporate actions take effect: positions, cash, open orders and prices, each at its time.

Of a split, orders in the symbol are cancelled: a price from before it must not fill after it. FINRA's rule 5330 asks
for that where shares are joined and for changed prices where they are divided; with a cancellation in both cases a
client hears of it. A dividend leaves orders as they are.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

from engine.exchange.activities import Entry, activity_id, derived_id
from engine.exchange.booking import Books
from engine.exchange.corporate import ACTION_LIMIT, Calendar, CorporateAction
from engine.exchange.desk import Desk
from engine.exchange.groups import Groups
from engine.exchange.matching import MatchingEngine
from engine.exchange.orders import QUANTITY_STEP, ZERO
from engine.exchange.refusals import unprocessable
from engine.exchange.tape import Tape
from engine.exchange.triggers import to_decimal

CENT = Decimal("0.01")


class Registrar:
    def __init__(self, calendar: Calendar, books: Books, groups: Groups, engine: MatchingEngine, tape: Tape) -> None:
        self.calendar = calendar
        self._books = books
        self._groups = groups
        self._engine = engine
        self._tape = tape

    def announce(self, action: CorporateAction) -> None:
        """Raises Refusal when there are too many already."""
        if len(self.calendar) >= ACTION_LIMIT:
            raise unprocessable(f"an exchange keeps at most {ACTION_LIMIT} corporate actions")
        self.calendar.add(action)
        self._books.keep_action(action)

    def act(self, now: int) -> None:
        """Do what is due."""
        for action in self.calendar.due(now):
            if not action.effective_at:
                self._take_effect(action, now)
            if not action.kind.is_split and action.due <= now:
                self._pay(action, now)
            self._books.keep_action(action)
        self.calendar.settle()

    def _take_effect(self, action: CorporateAction, now: int) -> None:
        price = to_decimal(self._tape.symbols[action.symbol].last_price)
        action.effective_at = now
        if action.kind.is_split:
            action.factor = float(1 / action.ratio)
        elif price > 0:
            # A dividend that is worth more than the share cannot take its price below a tenth.
            action.factor = max(float(1 - action.cash / price), 0.1)
        for desk in self._books.desks.values():
            if action.kind.is_split:
                self._split(desk, action, price, now)
            elif quantity := desk.account.quantity(action.symbol):
                action.entitled[desk.account_id] = quantity
        self.move_price(action)

    def move_price(self, action: CorporateAction) -> None:
        """What was seen of the market before the action goes with it."""
        self._tape.symbols[action.symbol].rescale(action.factor, action.effective_at)
        self._engine.forget(action.symbol)

    def _split(self, desk: Desk, action: CorporateAction, price: Decimal, now: int) -> None:
        for record in [record for record in desk.open.values() if record.symbol == action.symbol]:
            if record.is_open:
                self._groups.cancel(record, now)
        before = desk.account.quantity(action.symbol)
        if not before:
            return
        exact = (before * action.ratio).quantize(QUANTITY_STEP, ROUND_HALF_EVEN)
        # A short position has no fractions.
        after = exact.to_integral_value(ROUND_DOWN) if action.cash_in_lieu or before < 0 else exact
        way = "forward" if action.ratio > 1 else "reverse"
        text = f"{action.new_rate:f} for {action.old_rate:f} {way} split"
        change = self._entry(desk, action, "SPLIT", text, now, quantity=exact - before)
        self._books.enter(desk, change, action.ratio)
        if exact != after:
            paid = ((exact - after) * price / action.ratio).quantize(CENT, ROUND_HALF_EVEN)
            text = "Cash in lieu of a fraction of a share"
            self._books.enter(desk, self._entry(desk, action, "CIL", text, now, quantity=after - exact, amount=paid))

    def _pay(self, action: CorporateAction, now: int) -> None:
        """Long positions are paid, short ones pay."""
        action.paid_at = now
        for account_id, quantity in action.entitled.items():
            desk = self._books.desks.get(account_id)
            if desk is None:
                continue
            amount = (quantity * action.cash).quantize(CENT, ROUND_HALF_EVEN)
            text = f"Cash dividend of {action.cash:f} a share on {quantity:f}"
            self._books.enter(desk, self._entry(desk, action, "DIV", text, now, amount=amount))

    def _entry(
        self,
        desk: Desk,
        action: CorporateAction,
        kind: str,
        text: str,
        now: int,
        *,
        quantity: Decimal = ZERO,
        amount: Decimal = ZERO,
    ) -> Entry:
        return Entry(
            activity_id=activity_id(now, derived_id(kind, f"{action.action_id}/{desk.account_id}")),
            kind=kind,
            timestamp=now,
            symbol=action.symbol,
            quantity=quantity,
            amount=amount,
            per_share=action.cash,
            description=text,
            number=self._books.next_activity(),
        )
