"""Somebody else with keys to the account, who trades beside the engine: at the venue itself, with ids of his own."""

from __future__ import annotations

from decimal import Decimal
from random import Random

from engine.domain.orders import Side
from engine.exchange.records import OrderRecord
from tests.faults import wishes
from tests.faults.venue import SYMBOLS, VirtualVenue

PREFIX = "other-"


class Outsider:
    """`acts` counts the requests that the venue took, `changes` those to orders that are the engine's."""

    def __init__(self, random: Random, venue: VirtualVenue) -> None:
        self.acts = self.changes = 0
        self._random = random
        self._venue = venue
        self._mine: list[str] = []

    def act(self) -> None:
        if self._random.random() < 0.2:
            self.meddle()
        elif self._mine and self._random.random() < 0.3:
            self._take(self._venue.answer("DELETE", f"/orders/{self._mine.pop()}", None)[0])
        else:
            self._place()

    def meddle(self) -> None:
        """Change an order of the engine's, if there is one."""
        theirs = [one for one in self._venue.desk.open.values() if one.client_order_id.startswith("demo-")]
        changeable = [
            one for one in theirs if one.limit_price is not None and not one.parent_id and not one.order_class
        ]
        if changeable:
            self._change(self._random.choice(changeable))

    def _change(self, order: OrderRecord) -> None:
        """Another price for an order of the engine's, under an id of his own; half of them are cancelled at once."""
        assert order.limit_price is not None
        price = order.limit_price - order.side.sign * Decimal(self._random.randint(1, 50)) / 100
        body = {"limit_price": str(price), "client_order_id": self._new_id()}
        status, answer = self._venue.answer("PATCH", f"/orders/{order.order_id}", body)
        if status < 300:
            self.changes += 1
            if self._random.random() < 0.5:
                self._venue.answer("DELETE", f"/orders/{answer['id']}", None)

    def _new_id(self) -> str:
        return f"{PREFIX}{self._random.getrandbits(48):x}"

    def _place(self) -> None:
        random = self._random
        symbol, side = random.choice(list(SYMBOLS)), random.choice([Side.BUY, Side.BUY, Side.SELL])
        bid, ask = self._venue.quote(symbol)
        body = {
            "symbol": symbol, "side": side.value, "qty": str(random.randint(1, 10)), "time_in_force": "gtc",
            "client_order_id": self._new_id(),
        }  # fmt: skip
        if random.random() < 0.3:
            body |= {"type": "market"}
        else:
            near, better = (ask, -1) if side is Side.BUY else (bid, 1)
            body |= {"type": "limit", "limit_price": str(wishes.cents(near + better * random.choice([0.05, 0.3, 2.0])))}
        status, answer = self._venue.answer("POST", "/orders", body)
        if self._take(status):
            self._mine.append(answer["id"])

    def _take(self, status: int) -> bool:
        self.acts += status < 300
        return status < 300
