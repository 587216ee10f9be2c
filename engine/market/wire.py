"""The messages of Alpaca's data streams as they are on the wire, read straight into the house's own kinds.

Trades and quotes are subclasses of the domain's, because they are most of what comes: one object each, filled by the
decoder. `timestamp` is packed until `frames` has put nanoseconds in its place.
"""

from __future__ import annotations

import msgspec

from engine.domain.market import Quote, Trade

_TRADE = {
    "symbol": "S",
    "timestamp": "t",
    "price": "p",
    "size": "s",
    "exchange": "x",
    "trade_id": "i",
    "conditions": "c",
    "tape": "z",
}
_QUOTE = {
    "symbol": "S",
    "timestamp": "t",
    "bid_price": "bp",
    "bid_size": "bs",
    "ask_price": "ap",
    "ask_size": "as",
}


class StreamTrade(  # type: ignore[misc]  # thawed: the time is written once, right after decoding
    Trade, tag_field="T", tag="t", rename=_TRADE, kw_only=True, gc=False, frozen=False, array_like=False
):
    symbol: str
    price: float
    size: float
    timestamp: msgspec.Raw  # type: ignore[assignment]
    exchange: str = ""
    conditions: tuple[str, ...] = ()
    trade_id: int = 0
    tape: str = ""


class StreamQuote(  # type: ignore[misc]
    Quote, tag_field="T", tag="q", rename=_QUOTE, kw_only=True, gc=False, frozen=False, array_like=False
):
    symbol: str
    bid_price: float
    bid_size: float
    ask_price: float
    ask_size: float
    timestamp: msgspec.Raw  # type: ignore[assignment]


class StreamBar(msgspec.Struct, tag_field="T", tag="b", gc=False):
    S: str
    t: msgspec.Raw
    o: float
    h: float
    l: float  # noqa: E741  the venue's name
    c: float
    v: float
    n: int | None = None
    vw: float | None = None


class UpdatedBar(StreamBar, tag_field="T", tag="u", gc=False):
    pass


class DailyBar(StreamBar, tag_field="T", tag="d", gc=False):
    pass


class StreamCorrection(msgspec.Struct, tag_field="T", tag="c"):
    S: str
    t: msgspec.Raw
    op: float
    os: float
    cp: float
    cs: float
    x: str = ""
    oi: int = 0
    ci: int = 0
    cc: tuple[str, ...] = ()
    z: str = ""


class StreamCancellation(msgspec.Struct, tag_field="T", tag="x"):
    S: str
    t: msgspec.Raw
    p: float
    s: float
    x: str = ""
    i: int = 0


class Success(msgspec.Struct, tag_field="T", tag="success"):
    msg: str = ""


class Error(msgspec.Struct, tag_field="T", tag="error"):
    code: int = 0
    msg: str = ""


class Subscription(msgspec.Struct, tag_field="T", tag="subscription"):
    trades: list[str] = []
    quotes: list[str] = []


Known = (
    StreamTrade
    | StreamQuote
    | StreamBar
    | UpdatedBar
    | DailyBar
    | StreamCorrection
    | StreamCancellation
    | Success
    | Error
    | Subscription
)
