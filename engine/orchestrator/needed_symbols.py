"""What belongs on the watch list whoever put it there: without its prices a position can be neither valued nor closed."""

from __future__ import annotations

import logging

from engine.broker.base import Broker
from engine.domain.errors import DataError
from engine.execution.ledger import Ledger
from engine.orchestrator.feeds import Feeds
from engine.views import Views

log = logging.getLogger(__name__)


def refuse_if_needed(symbol: str, views: Views) -> None:
    """Raises DataError while a bot trades the symbol, a position is held in it, or an order in it is open."""
    bots = [bot.name for bot in views.bots if symbol in bot.symbols.split(", ")]
    if bots:
        raise DataError(
            f"{symbol} stays on the watch list: {', '.join(bots)} trades it.",
            "Take it out of the bot's symbols in the configuration first.",
        )
    if any(position.symbol == symbol for position in views.positions):
        raise DataError(f"{symbol} stays on the watch list: it is held.", "Close the position first.")
    if any(order.symbol == symbol and order.is_open for order in views.orders):
        raise DataError(f"{symbol} stays on the watch list: an order in it is open.", "Cancel the order first.")


class FollowHeld:
    """Puts on the watch list what is held or has an open order, as what was bought elsewhere has."""

    def __init__(self, feeds: Feeds, ledger: Ledger, broker: Broker) -> None:
        self._feeds = feeds
        self._ledger = ledger
        self._broker = broker
        self._without_prices: set[str] = set()
        """Such as options, which the venue lists nowhere among its assets."""

    async def look(self) -> None:
        """Raises PaddockError when the venue does not answer."""
        held = self._ledger.positions.symbols | {order.symbol for order in self._ledger.book.open}
        for symbol in sorted(held - self._without_prices):
            if self._feeds.follows(symbol):
                continue
            if await self._broker.asset(symbol) is None:
                self._without_prices.add(symbol)
                log.warning("%s is held, and the venue has no prices of it", symbol)
            else:
                log.info("%s is held, and is on the watch list from now on", symbol)
                self._feeds.watch(symbol)
