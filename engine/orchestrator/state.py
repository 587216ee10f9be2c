"""Keeps the portfolio's state: snapshots at intervals, the newest good one at a start, three books compared."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from engine.clock import Clock
from engine.domain.errors import PaddockError
from engine.domain.events import Severity
from engine.execution.bookkeeping import PREFIX
from engine.execution.trading import TradingCore
from engine.portfolio.balance import Balance, Verdict, compare
from engine.portfolio.positions import EXTERNAL_SLEEVE
from engine.portfolio.state import PortfolioState, decode, encode
from engine.storage.quantities import JournalQuantities
from engine.storage.snapshots import SnapshotStore
from engine.views import BalanceRow, Views

log = logging.getLogger(__name__)

Alert = Callable[[str, str, str, Severity], None]
"""Component, message, remedy, severity."""


class StateLoader:
    """What the newest snapshot holds, before the trading core is made; `report` tells later what was wrong with it."""

    def __init__(self, folder: Path) -> None:
        self.store = SnapshotStore(folder)
        self.state: PortfolioState | None = None
        self._taken_at = 0
        self._damaged: tuple[str, ...] = ()

    def load(self) -> PortfolioState | None:
        """Not for the event loop. None when there is none that can be read."""
        loaded = self.store.load()
        self._taken_at, self._damaged = loaded.taken_at, loaded.damaged
        self.state = decode(loaded.payload) if loaded.payload is not None else None
        return self.state

    def report(self, objection: str, alert: Alert) -> None:
        """`objection` is why the trading core did not use the state."""
        remedy = "Nothing is lost: positions were built from the order journal. The file is kept beside the others."
        for name in self._damaged:
            alert("state", f"The snapshot {name} is damaged and was set aside.", remedy, Severity.WARNING)
        if objection:
            self.store.set_aside(self._taken_at)
            alert("state", f"The last snapshot was not used: {objection}.", remedy, Severity.WARNING)


class StateKeeper:
    def __init__(
        self, core: TradingCore, store: SnapshotStore, journal: Path, views: Views, clock: Clock, alert: Alert
    ) -> None:
        self._core = core
        self._store = store
        self._quantities = JournalQuantities(journal, but=EXTERNAL_SLEEVE, bookings=PREFIX)
        self._views = views
        self._clock = clock
        self._alert = alert
        self._saving = asyncio.Lock()
        """One snapshot at a time: each clears away what an earlier one left unfinished."""
        self._differing: set[Balance] = set()
        self._told: set[str] = set()

    async def save(self) -> None:
        """Raises DataError when it cannot be written; then the journal alone is there at the next start."""
        async with self._saving:
            payload = encode(self._core.ledger.bookings.state())
            await asyncio.to_thread(self._store.save, payload, self._clock.now())

    async def compare(self) -> None:
        """Raises DataError when the journal cannot be read."""
        venue = self._core.venue_quantities
        if venue is None:
            return
        journal = await asyncio.to_thread(self._quantities.read)
        positions = self._core.ledger.positions
        external = {held.symbol: held.quantity for held in positions if held.sleeve == EXTERNAL_SLEEVE}
        own = {symbol: net - external.get(symbol, 0) for symbol, net in positions.nets.items()}
        self._show(rows := compare(own, external, journal, venue))
        self._warn({row for row in rows if row.verdict is Verdict.DIFFERS})

    def _show(self, rows: list[Balance]) -> None:
        table = self._views.balance
        for symbol in set(table.keys()) - {row.symbol for row in rows}:
            table.remove(symbol)
        for row in rows:
            table.put(
                row.symbol,
                BalanceRow(
                    symbol=row.symbol,
                    engine=float(row.engine),
                    journal=float(row.journal),
                    broker=float(row.broker),
                    difference=float(row.difference),
                    verdict=row.verdict.value,
                    compared_at=self._clock.now(),
                ),
            )

    def _warn(self, differing: set[Balance]) -> None:
        """Of what differs in the same way twice in a row: a fill may be on its way to one of the books."""
        lasting = differing & self._differing
        self._differing = differing
        for row in lasting:
            if row.symbol not in self._told:
                self._alert(
                    "positions",
                    f"{row.symbol} is out of balance: engine {row.engine:f}, journal {row.journal:f}, broker "
                    f"{row.broker:f}.",
                    "Pause the bots in it, and compare its fills with the venue's under Trading, Balance.",
                    Severity.ERROR,
                )
        self._told = {row.symbol for row in lasting}


async def save_last(keeper: StateKeeper) -> None:
    """At a stop, when what is missing from the disk is no reason to wait."""
    try:
        await keeper.save()
    except PaddockError as error:
        log.warning("%s", error.message)
