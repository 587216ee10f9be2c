"""What must hold at every moment of a day, not only at its end."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from engine.domain.events import OrderEvent
from engine.domain.orders import OrderStatus
from engine.execution.trading import TradingCore
from engine.portfolio.positions import EXTERNAL_SLEEVE
from tests.faults.venue import SYMBOLS


class Watch:
    """Over all lives of the engine. `problems` has each kind of wrong once."""

    def __init__(self, *, alone: bool) -> None:
        """`alone`: nobody else trades in the account."""
        self.problems: list[str] = []
        self.durable: dict[str, OrderStatus] = {}
        """The newest state of each order that is on the disk."""
        self.causes: dict[str, str] = {}
        """The wish behind each order, as it was written before the order was sent."""
        self._alone = alone
        self._ended: dict[str, OrderStatus] = {}
        self._filled: dict[str, Decimal] = {}

    def new_life(self) -> None:
        """What was only in memory is gone; news may be told again."""
        self._ended.clear()
        self._filled.clear()

    def sent(self, body: dict[str, Any], *, excused: bool) -> None:
        """An order leaves the house; `excused` from being on the disk first."""
        key = body["client_order_id"]
        if excused:
            return
        if key not in self.durable:
            self._say("an order was sent before it was on the disk", key)
        elif self.durable[key] is OrderStatus.INTENT:
            self._say("an order was sent that the disk holds for unsent", key)

    def on_order(self, event: OrderEvent) -> None:
        order = event.order
        key = order.client_order_id
        ended = self._ended.get(key)
        if ended is not None and order.status is not ended:
            self._say("an order left its final state", f"{key}: {ended.value} became {order.status.value}")
        if order.status.is_final:
            self._ended[key] = order.status
        if order.filled_quantity < self._filled.get(key, Decimal(0)):
            self._say("a filled quantity shrank", key)
        self._filled[key] = order.filled_quantity

    def look(self, core: TradingCore) -> None:
        for symbol in SYMBOLS if self._alone else ():
            if quantity := core.ledger.positions.get(symbol, EXTERNAL_SLEEVE).quantity:
                self._say("shares were taken for somebody else's", f"{quantity} {symbol}")

    def _say(self, what: str, whom: str) -> None:
        if all(not known.startswith(what) for known in self.problems):
            self.problems.append(f"{what}: {whom}")
