"""Somebody else with keys to the account, who trades beside the engine: at the venue itself, with ids of his own."""

from __future__ import annotations

from random import Random

from engine.domain.orders import Side
from tests.faults import wishes
from tests.faults.venue import SYMBOLS, VirtualVenue

PREFIX = "other-"


class Outsider:
    """`acts` counts the requests that the venue took."""

    def __init__(self, random: Random, venue: VirtualVenue) -> None:
        self.acts = 0
        self._random = random
        self._venue = venue
        self._mine: list[str] = []

    def act(self) -> None:
        if self._mine and self._random.random() < 0.3:
            self._take(self._venue.answer("DELETE", f"/orders/{self._mine.pop()}", None)[0])
        else:
            self._place()

    def _place(self) -> None:
        random = self._random
        symbol, side = random.choice(list(SYMBOLS)), random.choice([Side.BUY, Side.BUY, Side.SELL])
        bid, ask = self._venue.quote(symbol)
        body = {
            "symbol": symbol, "side": side.value, "qty": str(random.randint(1, 10)), "time_in_force": "gtc",
            "client_order_id": f"{PREFIX}{random.getrandbits(48):x}",
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
