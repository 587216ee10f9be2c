"""What trading costs: regulatory fees on sales of stocks, and the venue's fee on crypto. Alpaca's paper venue charges
no fee on stocks; the regulatory ones are those that it passes on to live accounts.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

import msgspec

from engine.domain.market import is_crypto
from engine.domain.orders import Side
from engine.exchange.activities import Entry, Execution, activity_id, derived_id
from engine.exchange.orders import QUANTITY_STEP, ZERO

CENT = Decimal("0.01")
SEC, TAF = "REG", "TAF"
DESCRIPTIONS = {SEC: "SEC fee on sales", TAF: "FINRA trading activity fee"}


class Fees(msgspec.Struct, frozen=True, kw_only=True):
    """Rates; 0 charges nothing. `sec_rate` is dollars a dollar sold, `taf_rate` dollars a share sold and at most
    `taf_cap` a fill, `crypto_rate` the share that is kept of what a crypto trade brings in.
    """

    sec_rate: Decimal = ZERO
    taf_rate: Decimal = ZERO
    taf_cap: Decimal = ZERO
    crypto_rate: Decimal = ZERO

    def accrued(self, execution: Execution) -> dict[str, Decimal]:
        """Regulatory fees of one fill, unrounded: they are charged as one sum at the end of the day."""
        if execution.side is Side.BUY or is_crypto(execution.symbol):
            return {}
        found = {
            SEC: execution.quantity * execution.price * self.sec_rate,
            TAF: min(execution.quantity * self.taf_rate, self.taf_cap),
        }
        return {name: amount for name, amount in found.items() if amount}

    def crypto(self, execution: Execution, number: int) -> Entry | None:
        """The fee of one crypto fill, in what it brought in: coins for a purchase, dollars for a sale."""
        if not self.crypto_rate or not is_crypto(execution.symbol):
            return None
        bought = execution.side is Side.BUY
        coins = (execution.quantity * self.crypto_rate).quantize(QUANTITY_STEP, ROUND_HALF_EVEN)
        dollars = execution.quantity * execution.price * self.crypto_rate
        return Entry(
            activity_id=activity_id(execution.timestamp, derived_id("CFEE", execution.execution_id)),
            kind="CFEE",
            timestamp=execution.timestamp,
            symbol=execution.symbol,
            quantity=-coins if bought else ZERO,
            price=execution.price,
            amount=ZERO if bought else -dollars,
            description=f"Coin Pair Transaction Fee ({'Non USD' if bought else 'USD'})",
            order_id=execution.order_id,
            number=number,
        )


def daily_entry(account_id: str, name: str, amount: Decimal, now: int, number: int) -> Entry:
    """A day's accrued fee, rounded up to the cent as Alpaca does."""
    return Entry(
        activity_id=activity_id(now, derived_id(name, f"{account_id}/{now}")),
        kind="FEE",
        timestamp=now,
        amount=-amount.quantize(CENT, ROUND_CEILING),
        description=DESCRIPTIONS[name],
        number=number,
    )
