"""The trading state: ACTIVE, REDUCING or HALTED, by a person's will or by losses; it survives a restart."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from decimal import Decimal

from engine.domain.errors import OrderError
from engine.domain.events import Severity, TradingState
from engine.domain.portfolio import Account
from engine.execution.alarms import Alarms
from engine.risk.breaker import drawdown_warning, state_for
from engine.risk.limits import Limits
from engine.storage.journal import Journal
from engine.storage.trail import Fact, Recovered

log = logging.getLogger(__name__)

STATE_FACT = "trading_state"
PEAK_FACT = "equity_peak"
_SEVERITY = {TradingState.ACTIVE: 0, TradingState.REDUCING: 1, TradingState.HALTED: 2}


class TradingSwitch:
    def __init__(self, journal: Journal, recovered: Recovered, alarms: Alarms) -> None:
        self._journal = journal
        self._alarms = alarms
        state, _, reason = recovered.facts.get(STATE_FACT, TradingState.ACTIVE.value).partition("|")
        self.state = TradingState(state)
        self.reason = reason
        self._peak = Decimal(recovered.facts.get(PEAK_FACT, "0"))
        self._warned = False
        self._owed = False
        """Whether the journal holds an older state, because the disk refused this one."""

    @property
    def is_halted(self) -> bool:
        return self.state is TradingState.HALTED

    def turn(self, state: TradingState, reason: str) -> None:
        """Holds at once; `write` makes it last."""
        self.state, self.reason = state, reason
        self._alarms.trading_state(state, reason)

    async def write(self) -> None:
        """Raises OrderError when it cannot be written down; `follow` then tries again."""
        self._owed = True
        await self._journal.append(Fact(STATE_FACT, f"{self.state.value}|{self.reason}"))
        self._owed = False

    async def follow(self, account: Account, limits: Limits) -> None:
        """Let losses turn it down; only a person turns it up again. Raises OrderError as `write` does."""
        if self._owed:
            # It was told when it was refused first.
            with contextlib.suppress(OrderError):
                await self.write()
        if account.equity > self._peak:
            self._peak = account.equity
            self._warned = False
            self._journal.append_soon(Fact(PEAK_FACT, str(self._peak))).add_done_callback(_report_failure)
        self._warn(drawdown_warning(account, self._peak, limits))
        wanted, reason = state_for(account, self._peak, limits)
        if _SEVERITY[wanted] > _SEVERITY[self.state]:
            self.turn(wanted, reason)
            await self.write()

    def _warn(self, warning: str) -> None:
        """Once for each peak."""
        if warning and not self._warned:
            self._warned = True
            self._alarms.alert("risk", warning, "Reduce risk, or see [risk] max_drawdown.", Severity.WARNING)


def _report_failure(written: asyncio.Future[None]) -> None:
    if not written.cancelled() and (error := written.exception()) is not None:
        log.warning("%s", error)
