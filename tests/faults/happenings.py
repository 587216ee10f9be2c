"""What the exchange does by itself in a day: shares are divided and joined, dividends are paid, and the bell rings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time, timedelta
from decimal import Decimal
from random import Random

from engine.domain.market import NANOSECONDS
from engine.domain.orders import OrderStatus, TimeInForce
from engine.exchange import phases
from engine.exchange.corporate import CorporateAction, Kind
from engine.exchange.sessions import DAY, AlwaysOpen, SessionDay, Sessions, at_new_york, new_york
from tests.faults.venue import START, SYMBOLS, VirtualVenue

ACTIONS = 0.3
"""The share of days with corporate actions."""
BELL = 0.3
"""The share of days in which the market closes."""
AUCTION = 2 * NANOSECONDS
"""So long before the bell no order for the closing auction is taken any more, and so long after it the auction is held."""
SPLITS = ((2, 1), (3, 1), (3, 2), (1, 2), (1, 4), (1, 10))
"""Of so many new shares for so many old; the last ones leave fractions, or nothing where fractions are paid out."""


class Bell:
    """A session that has been open for hours and closes `seconds` after the start of the day that is lived."""

    def __init__(self, seconds: int) -> None:
        local = new_york(START)
        self._opens, self._closes = time(4), (local + timedelta(seconds=seconds)).time()

    def is_open(self, now: int) -> bool:
        return self._at(new_york(now).date(), self._opens) <= now < self._at(new_york(now).date(), self._closes)

    def next_open(self, now: int) -> int:
        return self._next(now, self._opens)

    def next_close(self, now: int) -> int:
        return self._next(now, self._closes)

    def days(self, start: date, end: date) -> list[SessionDay]:
        span = range(max((end - start).days + 1, 0))
        return [SessionDay(start + timedelta(days=number), self._opens, self._closes) for number in span]

    def _next(self, now: int, clock: time) -> int:
        today = new_york(now).date()
        at = self._at(today, clock)
        return at if at > now else self._at(today + DAY, clock)

    def _at(self, day: date, clock: time) -> int:
        return at_new_york(day, clock)


@contextmanager
def quick_auction() -> Iterator[None]:
    """Minutes of the closing auction become seconds, as the day is of minutes."""
    before = phases.CLOSING_CUTOFF, phases.CLOSE_GRACE
    phases.CLOSING_CUTOFF = phases.CLOSE_GRACE = AUCTION
    try:
        yield
    finally:
        phases.CLOSING_CUTOFF, phases.CLOSE_GRACE = before


def sessions(random: Random) -> Sessions:
    return Bell(random.randint(25, 55)) if random.random() < BELL else AlwaysOpen()


class Happenings:
    """`times` are when something is to be done to the shares, in seconds of the day. `deeds` counts what met anybody."""

    def __init__(self, random: Random, venue: VirtualVenue) -> None:
        self._random = random
        self._venue = venue
        self._done: Counter[str] = Counter()
        number = random.randint(1, 3) if random.random() < ACTIONS else 0
        self.times = sorted(random.uniform(8.0, 60.0) for _ in range(number))

    @property
    def bell(self) -> float | None:
        """When it rings, in seconds of the day."""
        hours = self._venue.venue.sessions
        return (hours.next_close(START) - START) / NANOSECONDS if isinstance(hours, Bell) else None

    def act(self) -> None:
        random = self._random
        desk, symbol = self._venue.desk, random.choice(list(SYMBOLS))
        concerns = bool(desk.account.quantity(symbol)) or any(one.symbol == symbol for one in desk.open.values())
        if random.random() < 0.35:
            kind, ratio, cash = Kind.CASH_DIVIDEND, (1, 1), Decimal(random.randint(1, 500)) / 100
        else:
            ratio, cash = random.choice(SPLITS), Decimal(0)
            kind = Kind.FORWARD_SPLIT if ratio[0] > ratio[1] else Kind.REVERSE_SPLIT
        today = new_york(START).date()
        action = CorporateAction(
            action_id=self._venue.venue.new_id(), kind=kind, symbol=symbol, declared=today, ex_date=today,
            payable_date=today, new_rate=Decimal(ratio[0]), old_rate=Decimal(ratio[1]), cash=cash,
            cash_in_lieu=random.random() < 0.5,
        )  # fmt: skip
        self._venue.act(action)
        self._done[kind.value.replace("_", " ")] += concerns

    def deeds(self) -> dict[str, int]:
        """With what the bell did, and what came after it."""
        if isinstance(self._venue.venue.sessions, Bell):
            rang = self._venue.venue.sessions.next_close(START)
            records = list(self._venue.desk)
            self._done["closing bell"] += 1
            self._done["in the closing auction"] += sum(
                one.time_in_force is TimeInForce.CLS and one.filled_quantity > 0 for one in records
            )
            self._done["expired at the bell"] += sum(one.status is OrderStatus.EXPIRED for one in records)
            self._done["sent after the bell"] += sum(one.created_at >= rang for one in records)
        return dict(self._done)
