"""Orders and activities that have left memory: what is asked of them, and of the place that keeps them."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from engine.exchange.activities import Activity
from engine.exchange.records import OrderRecord


class OrderQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which orders of an account to list. `after` and `until` exclude their own instant, nanoseconds UTC; `side` and
    `symbols`, without slashes, are all where they are empty. `roots_only` leaves the legs of complex orders out.
    """

    status: Literal["open", "closed", "all"] = "all"
    after: int | None = None
    until: int | None = None
    side: str = ""
    symbols: frozenset[str] = frozenset()
    roots_only: bool = False
    newest_first: bool = True

    def matches(self, record: OrderRecord) -> bool:
        return (
            not (self.roots_only and record.parent_id)
            and (self.status == "all" or record.is_open == (self.status == "open"))
            and (self.after is None or record.created_at > self.after)
            and (self.until is None or record.created_at < self.until)
            and self.side in ("", record.side.value)
            and (not self.symbols or record.symbol.replace("/", "") in self.symbols)
        )


class ActivityQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which activities of an account to list. Times as in OrderQuery; `kinds` is all where it is empty. `beyond` is the
    number of the last one that a page before has shown.
    """

    kinds: frozenset[str] = frozenset()
    after: int | None = None
    until: int | None = None
    beyond: int | None = None
    newest_first: bool = True

    def matches(self, activity: Activity) -> bool:
        return (
            (not self.kinds or activity.kind in self.kinds)
            and (self.after is None or activity.timestamp > self.after)
            and (self.until is None or activity.timestamp < self.until)
            and (self.beyond is None or (activity.number < self.beyond) == self.newest_first)
            and activity.number != self.beyond
        )


class Archive(Protocol):
    """May also hold what memory still has; that is not told apart here."""

    def order(self, account_id: str, order_id: str) -> OrderRecord | None: ...

    def client_order(self, account_id: str, client_order_id: str) -> OrderRecord | None: ...

    def orders(self, account_id: str, query: OrderQuery, limit: int) -> list[OrderRecord]:
        """At most `limit` orders that have ended, by time of submission."""
        ...

    def activities(self, account_id: str, query: ActivityQuery, limit: int) -> list[Activity]:
        """At most `limit` activities, by number."""
        ...

    def activity_number(self, account_id: str, activity_id: str) -> int | None: ...
