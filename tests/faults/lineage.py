"""Which orders of the exchange's ledger descend from which: replacements from what they replaced, exits from their entry."""

from __future__ import annotations

from decimal import Decimal

from engine.exchange.desk import Desk
from engine.exchange.records import OrderRecord


class Lineage:
    def __init__(self, desk: Desk) -> None:
        self._by_id = {record.order_id: record for record in desk}

    def founder(self, record: OrderRecord) -> OrderRecord:
        """The order that somebody wanted, of which this one came."""
        while (before := record.parent_id or record.replaces) is not None:
            record = self._by_id[before]
        return record

    def first(self, record: OrderRecord) -> OrderRecord:
        """The order that this one took the place of, through all its changes."""
        while record.replaces is not None:
            record = self._by_id[record.replaces]
        return record

    def filled_before(self, record: OrderRecord) -> Decimal:
        """What the orders had filled whose place this one has taken."""
        filled = Decimal(0)
        while record.replaces is not None:
            record = self._by_id[record.replaces]
            filled += record.filled_quantity
        return filled

    def newest(self, record: OrderRecord) -> OrderRecord:
        """The order that has taken the place of this one by now."""
        while record.replaced_by is not None:
            record = self._by_id[record.replaced_by]
        return record

    def is_exit(self, record: OrderRecord) -> bool:
        return self.first(record).parent_id is not None

    def sleeve(self, record: OrderRecord) -> str:
        """As the founder's id names it; empty for an order of somebody else's."""
        environment, _, rest = self.founder(record).client_order_id.partition("-")
        return rest.rpartition("-")[0] if environment == "demo" else ""
