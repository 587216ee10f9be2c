"""Data-stream messages in the two formats that clients ask for: arrays of maps in msgpack or in JSON.

Each message is encoded once a format, however many clients get it, and frames are joined from the pieces.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import msgspec

from engine.domain.market import NANOSECONDS, Bar, Quote, Trade
from engine.exchange.wire import rfc3339

MAX_FRAME = 512 * 1024
"""Bytes; alpaca-py gives up on frames above 1 MiB."""

_pack_long = struct.Struct(">Q").pack
_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode


class StockTrade(msgspec.Struct, tag_field="T", tag="t"):
    S: str
    i: int
    x: str
    p: float
    s: float
    c: tuple[str, ...]
    z: str
    t: Any


class CryptoTrade(msgspec.Struct, tag_field="T", tag="t"):
    S: str
    p: float
    s: float
    i: int
    tks: str
    t: Any


class StockQuote(msgspec.Struct, tag_field="T", tag="q"):
    S: str
    bx: str
    bp: float
    bs: float
    ax: str
    ap: float
    a_size: float = msgspec.field(name="as")
    c: tuple[str, ...] = ("R",)
    z: str = "C"
    t: Any = None


class CryptoQuote(msgspec.Struct, tag_field="T", tag="q"):
    S: str
    bp: float
    bs: float
    ap: float
    a_size: float = msgspec.field(name="as")
    t: Any = None


class StreamBar(msgspec.Struct):
    T: str
    S: str
    o: float
    h: float
    l: float  # noqa: E741
    c: float
    v: float
    n: int
    vw: float
    t: Any


def timestamp(at: int, packed: bool) -> Any:
    """Nanoseconds as msgpack's timestamp extension, or as RFC 3339 text."""
    if not packed:
        return rfc3339(at)
    seconds, fraction = divmod(at, NANOSECONDS)
    return msgspec.msgpack.Ext(-1, _pack_long(fraction << 34 | seconds))


def encode(message: Any, packed: bool) -> bytes:
    return _pack(message) if packed else _json(message)


def encode_trade(trade: Trade, packed: bool) -> bytes:
    at = timestamp(trade.timestamp, packed)
    message: StockTrade | CryptoTrade
    if "/" in trade.symbol:
        message = CryptoTrade(trade.symbol, trade.price, trade.size, trade.trade_id, "B", at)
    else:
        message = StockTrade(
            trade.symbol, trade.trade_id, trade.exchange, trade.price, trade.size, trade.conditions, "C", at
        )
    return encode(message, packed)


def encode_quote(quote: Quote, packed: bool) -> bytes:
    at = timestamp(quote.timestamp, packed)
    message: StockQuote | CryptoQuote
    if "/" in quote.symbol:
        message = CryptoQuote(quote.symbol, quote.bid_price, quote.bid_size, quote.ask_price, quote.ask_size, at)
    else:
        message = StockQuote(
            quote.symbol, "V", quote.bid_price, quote.bid_size, "V", quote.ask_price, quote.ask_size, t=at
        )
    return encode(message, packed)


def encode_bar(kind: str, bar: Bar, packed: bool) -> bytes:
    """`kind` is b for a closed minute, d for the day so far, u for a minute that changed afterwards."""
    at = timestamp(bar.timestamp, packed)
    message = StreamBar(
        kind, bar.symbol, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trade_count, bar.vwap, at
    )
    return encode(message, packed)


def encode_control(messages: list[dict[str, Any]], packed: bool) -> bytes | str:
    return _pack(messages) if packed else _json(messages).decode()


def frames(pieces: Iterable[bytes], packed: bool) -> list[bytes | str]:
    """Join encoded messages to frames: binary arrays of msgpack, or text arrays of JSON."""
    made: list[bytes | str] = []
    batch: list[bytes] = []
    size = 0
    for piece in pieces:
        if size + len(piece) > MAX_FRAME:
            made.append(_frame(batch, packed))
            batch, size = [], 0
        batch.append(piece)
        size += len(piece) + 1
    if batch:
        made.append(_frame(batch, packed))
    return made


def _frame(batch: list[bytes], packed: bool) -> bytes | str:
    if packed:
        return b"".join((_array_header(len(batch)), *batch))
    return f"[{b','.join(batch).decode()}]"


def _array_header(count: int) -> bytes:
    if count < 16:
        return bytes((0x90 | count,))
    if count < 1 << 16:
        return struct.pack(">BH", 0xDC, count)
    return struct.pack(">BI", 0xDD, count)


def decode(data: bytes | str, packed: bool) -> Any:
    """A client's message. Raises msgspec.DecodeError or RecursionError."""
    if packed and isinstance(data, bytes):
        return msgspec.msgpack.decode(data)
    return msgspec.json.decode(data)
