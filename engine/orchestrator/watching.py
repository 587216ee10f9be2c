"""What keeps a symbol on the watch list: without its prices a bot stands still and a position cannot be valued."""

from __future__ import annotations

from engine.domain.errors import DataError
from engine.views import Views


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
