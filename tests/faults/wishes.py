"""Orders that a person could want, by chance: of every type, near the market, so that most of them meet it."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

from engine.domain.orders import Order, OrderChanges, OrderType, Side, TimeInForce

PEOPLE = ("one", "two")
MOMENTS = (TimeInForce.IOC, TimeInForce.FOK, TimeInForce.OPG, TimeInForce.CLS, TimeInForce.CLS)
"""For what trades at once, or in an auction only."""
Terms = dict[str, Any]


def order(
    random: Random, symbol: str, side: Side, terms: Terms, *, whole: bool = False, quantity: Decimal | None = None
) -> Terms:
    """The fields of an OrderRequest. Fractions of a share only where a simple DAY order may have them, and
    extended hours only where a simple limit may.
    """
    fractional = not whole and terms["type"] in (OrderType.MARKET, OrderType.LIMIT) and random.random() < 0.15
    if quantity is None:
        quantity = Decimal(random.randint(1, 20)) + (Decimal(random.randint(1, 999)) / 1000 if fractional else 0)
    life = TimeInForce.DAY if fractional else random.choice([TimeInForce.DAY, TimeInForce.GTC])
    if not whole and not fractional and terms["type"] in (OrderType.MARKET, OrderType.LIMIT) and random.random() < 0.25:
        life = random.choice(MOMENTS)
    early = not whole and terms["type"] is OrderType.LIMIT and life not in MOMENTS and random.random() < 0.2
    wish = {"symbol": symbol, "side": side, "quantity": quantity, "time_in_force": life, "extended_hours": early}
    return wish | terms


def at_the_close(random: Random, symbol: str, side: Side, bid: float, ask: float) -> Terms:
    """At what the closing auction gives, or within a limit that it likely keeps."""
    limit = cents(ask + 1.0 if side is Side.BUY else bid - 1.0)
    kind = random.choice([{"type": OrderType.MARKET}, {"type": OrderType.LIMIT, "limit_price": limit}])
    quantity = Decimal(random.randint(1, 20))
    return {"symbol": symbol, "side": side, "quantity": quantity, "time_in_force": TimeInForce.CLS, **kind}


def terms(random: Random, side: Side, bid: float, ask: float) -> Terms:
    """Type and prices of a simple order."""
    near, better = (ask, -1) if side is Side.BUY else (bid, 1)
    match random.choice(["market", "market", "limit", "limit", "limit", "stop", "stop limit", "trail", "trail %"]):
        case "market":
            return {"type": OrderType.MARKET}
        case "limit":
            limit = near + better * random.choice([0.1, 0.1, 2.0, -0.05])
            return {"type": OrderType.LIMIT, "limit_price": cents(limit)}
        case "stop":
            return {"type": OrderType.STOP, "stop_price": cents(near - better * random.uniform(0.05, 0.6))}
        case "stop limit":
            stop = near - better * random.uniform(0.05, 0.6)
            return {
                "type": OrderType.STOP_LIMIT, "stop_price": cents(stop), "limit_price": cents(stop - better * 0.2),
            }  # fmt: skip
        case "trail":
            return {"type": OrderType.TRAILING_STOP, "trail_price": cents(random.uniform(0.1, 0.8))}
        case _:
            return {"type": OrderType.TRAILING_STOP, "trail_percent": cents(random.uniform(0.1, 0.3))}


def exits(random: Random, side: Side, bid: float, ask: float) -> Terms:
    """An entry, mostly one that fills, with a profit, a loss or both."""
    entry = ask if side is Side.BUY else bid
    limit = random.choice([None, None, entry + side.sign * 0.02, entry - side.sign * 0.2])
    base = entry if limit is None else limit
    both = random.choice(["both", "both", "profit", "loss"])
    profit = None if both == "loss" else cents(base + side.sign * random.uniform(0.1, 0.7))
    loss = None if both == "profit" else cents(base - side.sign * random.uniform(0.1, 0.7))
    kind = {"type": OrderType.MARKET} if limit is None else {"type": OrderType.LIMIT, "limit_price": cents(limit)}
    return {**kind, "take_profit": profit, "stop_loss": loss}


def one_cancels_other(random: Random, bid: float, ask: float) -> Terms:
    """Exits of shares that are held."""
    return {
        "type": OrderType.LIMIT,
        "limit_price": cents(ask + random.uniform(0.05, 0.5)),
        "stop_loss": cents(bid - random.uniform(0.05, 0.5)),
        "one_cancels_other": True,
    }


def changes(random: Random, order: Order, bid: float, ask: float) -> OrderChanges:
    """A quantity, a price, or both; some that the venue or the gate will not have."""
    near, better = (ask, -1) if order.side is Side.BUY else (bid, 1)
    wanted: Terms = {}
    if order.limit_price is not None:
        wanted["limit_price"] = cents(near + better * random.choice([0.1, 0.3, -0.05]))
    if order.stop_price is not None:
        wanted["stop_price"] = cents(near - better * random.uniform(0.05, 0.6))
    if order.trail_price is not None or order.trail_percent is not None:
        wanted["trail"] = cents(random.uniform(0.1, 0.5))
    if not wanted or (not order.role and random.random() < 0.5):
        wanted["quantity"] = max(order.quantity + random.randint(-5, 5), Decimal(1))
    return OrderChanges(**wanted)


def cents(price: float) -> Decimal:
    return Decimal(f"{price:.2f}")
