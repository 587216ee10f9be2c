"""The rarer data-stream messages: statuses, price bands, corrections, cancellations, order books.

Each is encoded in the format its clients ask for, and begins with its kind, T.
"""

from __future__ import annotations

from typing import Any

import msgspec

from engine.domain.market import Quote
from engine.exchange.prices.events import Bands, Cancellation, Correction, Status
from engine.exchange.server.codec import encode, timestamp


class StatusMessage(msgspec.Struct, tag_field="T", tag="s"):
    S: str
    sc: str
    sm: str
    rc: str
    rm: str
    z: str
    t: Any


class BandsMessage(msgspec.Struct, tag_field="T", tag="l"):
    S: str
    u: float
    d: float
    i: str
    z: str
    t: Any


class CorrectionMessage(msgspec.Struct, tag_field="T", tag="c"):
    """The print as it was (o…) and as it is (c…)."""

    S: str
    x: str
    oi: int
    op: float
    os: float
    oc: tuple[str, ...]
    ci: int
    cp: float
    cs: float
    cc: tuple[str, ...]
    z: str
    t: Any


class CancellationMessage(msgspec.Struct, tag_field="T", tag="x"):
    S: str
    i: int
    x: str
    p: float
    s: float
    a: str
    z: str
    t: Any


class Level(msgspec.Struct):
    p: float
    s: float


class BookMessage(msgspec.Struct, tag_field="T", tag="o"):
    """`r` says that this is the whole book: forget the levels known so far."""

    S: str
    b: list[Level]
    a: list[Level]
    t: Any
    r: bool = True


def encode_status(status: Status, packed: bool) -> bytes:
    at = timestamp(status.timestamp, packed)
    message = StatusMessage(
        status.symbol, status.code, status.message, status.reason_code, status.reason, status.tape, at
    )
    return encode(message, packed)


def encode_bands(bands: Bands, packed: bool) -> bytes:
    at = timestamp(bands.timestamp, packed)
    return encode(BandsMessage(bands.symbol, bands.upper, bands.lower, "B", "C", at), packed)


def encode_correction(correction: Correction, packed: bool) -> bytes:
    old, new = correction.original, correction.corrected
    message = CorrectionMessage(
        old.symbol,
        old.exchange,
        old.trade_id,
        old.price,
        old.size,
        old.conditions,
        new.trade_id,
        new.price,
        new.size,
        new.conditions,
        "C",
        timestamp(correction.timestamp, packed),
    )
    return encode(message, packed)


def encode_cancellation(cancellation: Cancellation, packed: bool) -> bytes:
    trade = cancellation.trade
    at = timestamp(cancellation.timestamp, packed)
    message = CancellationMessage(
        trade.symbol, trade.trade_id, trade.exchange, trade.price, trade.size, cancellation.action, "C", at
    )
    return encode(message, packed)


def encode_book(quote: Quote, packed: bool) -> bytes:
    """The best bid and offer as a book of one level."""
    bids = [Level(quote.bid_price, quote.bid_size)] if quote.bid_price > 0 else []
    asks = [Level(quote.ask_price, quote.ask_size)] if quote.ask_price > 0 else []
    return encode(BookMessage(quote.symbol, bids, asks, timestamp(quote.timestamp, packed)), packed)
