"""Where a resting limit order stands in the queue at its price, and what a print leaves for it.

The venue shows no queue, so the model is the cautious one of the literature (for example hftbacktest's risk-averse
queue): everything displayed when the order came stands before it, prints at the price take from the front, and a
displayed size below what stood ahead means that some of that has left. Pure functions of one order and one event.
"""

from __future__ import annotations

from engine.domain.market import Quote
from engine.domain.orders import Side
from engine.exchange.orders import Working


def stand(working: Working, quote: Quote) -> None:
    """Take what `quote` shows into account. An order that it does not meet rests from now on."""
    limit = working.limit
    if limit is None or working.waits_for_trigger or not working.is_live:
        return
    near, far = (quote.bid_price, quote.bid_size), quote.ask_price
    if working.order.side is Side.SELL:
        near, far = (quote.ask_price, quote.ask_size), quote.bid_price
    if far <= 0 or (float(limit) - far) * working.order.side.sign < 0:
        working.rests = True
    price, size = near
    if price <= 0:
        return
    beyond = (float(limit) - price) * working.order.side.sign
    if beyond > 0:
        working.ahead = 0.0
    elif beyond == 0:
        working.ahead = size if working.ahead is None else min(working.ahead, size)


def reach(working: Working, price: float, size: float) -> float:
    """How many units of a print come to the order's turn; moves it forward in the queue.

    A print through the limit has emptied the queue. At the limit it takes from those ahead first; while nothing is
    known of them, none of it reaches the order.
    """
    limit = working.limit
    if limit is None:
        return 0.0
    through = (float(limit) - price) * working.order.side.sign
    if through < 0:
        return 0.0
    if through > 0:
        working.ahead = 0.0
        return size
    if working.ahead is None:
        return 0.0
    left = size - working.ahead
    working.ahead = max(-left, 0.0)
    return max(left, 0.0)
