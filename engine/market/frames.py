"""Decode the frames of Alpaca's data streams: msgpack arrays of maps, each beginning with its kind, T.

One typed decode per frame. A frame in which one message cannot be read is decoded again message by message, so that
the others are kept and the bad one is counted.
"""

from __future__ import annotations

from typing import Any

import msgspec

from engine.domain.market import NANOSECONDS, Bar, Quote, Timeframe, Trade

Ext = msgspec.msgpack.Ext


class _Trade(msgspec.Struct, tag_field="T", tag="t", gc=False):
    S: str
    t: Ext
    p: float
    s: float
    x: str = ""
    i: int = 0
    c: list[str] | None = None


class _Quote(msgspec.Struct, tag_field="T", tag="q", gc=False, rename={"ask_size": "as"}):
    S: str
    t: Ext
    bp: float
    bs: float
    ap: float
    ask_size: float


class _Bar(msgspec.Struct, tag_field="T", tag="b", gc=False):
    S: str
    t: Ext
    o: float
    h: float
    l: float  # noqa: E741  the venue's name
    c: float
    v: float
    n: int | None = None
    vw: float | None = None


class _UpdatedBar(_Bar, tag_field="T", tag="u", gc=False):
    pass


class _DailyBar(_Bar, tag_field="T", tag="d", gc=False):
    pass


class _Success(msgspec.Struct, tag_field="T", tag="success"):
    msg: str = ""


class _Error(msgspec.Struct, tag_field="T", tag="error"):
    code: int = 0
    msg: str = ""


class _Subscription(msgspec.Struct, tag_field="T", tag="subscription"):
    trades: list[str] = []


class _Correction(msgspec.Struct, tag_field="T", tag="c"):
    """A print that was told wrongly. The bar it belongs to comes again as an updated one."""


class _Cancellation(msgspec.Struct, tag_field="T", tag="x"):
    """A print that did not happen, in the same way."""


_Known = (
    _Trade | _Quote | _Bar | _UpdatedBar | _DailyBar | _Success | _Error | _Subscription | _Correction | _Cancellation
)
_decode_all = msgspec.msgpack.Decoder(list[_Known]).decode
_decode_each = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_decode_one = msgspec.msgpack.Decoder(_Known).decode


class Frame(msgspec.Struct):
    """What one frame held. `daily` are the growing bars of the day; `words` what the server said of the session."""

    trades: list[Trade] = []
    quotes: list[Quote] = []
    minutes: list[Bar] = []
    daily: list[Bar] = []
    words: list[str] = []
    errors: list[tuple[int, str]] = []
    subscribed: list[str] | None = None
    """The symbols whose trades the server sends from now on, when it said so."""
    rejected: int = 0


def decode(data: bytes | str) -> Frame:
    """Never raises: what cannot be read is counted in `rejected`."""
    frame = Frame()
    if isinstance(data, str):
        frame.rejected += 1
        return frame
    try:
        messages: list[Any] = _decode_all(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        messages = _one_by_one(data, frame)
    for message in messages:
        try:
            _sort(message, frame)
        except (ValueError, OverflowError):
            frame.rejected += 1
    return frame


def _one_by_one(data: bytes, frame: Frame) -> list[Any]:
    try:
        parts = _decode_each(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        frame.rejected += 1
        return []
    found: list[Any] = []
    for part in parts:
        try:
            found.append(_decode_one(part))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            frame.rejected += 1
    return found


def _sort(message: Any, frame: Frame) -> None:
    match message:
        case _Trade():
            conditions = tuple(message.c) if message.c else ()
            frame.trades.append(
                Trade(message.S, message.p, message.s, _time(message.t), message.x, conditions, message.i)
            )
        case _Quote():
            frame.quotes.append(
                Quote(message.S, message.bp, message.bs, message.ap, message.ask_size, _time(message.t))
            )
        case _DailyBar():
            frame.daily.append(_bar(message, Timeframe.DAY_1, closed=False))
        case _Bar():
            frame.minutes.append(_bar(message, Timeframe.MINUTE_1, closed=True))
        case _Success():
            frame.words.append(message.msg)
        case _Error():
            frame.errors.append((message.code, message.msg))
        case _Subscription():
            frame.words.append("subscription")
            frame.subscribed = message.trades


def _bar(message: _Bar, timeframe: Timeframe, closed: bool) -> Bar:
    return Bar(
        message.S,
        timeframe,
        _time(message.t),
        message.o,
        message.h,
        message.l,
        message.c,
        message.v,
        message.n or 0,
        message.vw or 0.0,
        closed,
    )


def _time(ext: Ext) -> int:
    """The msgpack timestamp extension in its three lengths, https://github.com/msgpack/msgpack/blob/master/spec.md"""
    data = bytes(ext.data)
    if ext.code != -1:
        raise ValueError("not a timestamp")
    if len(data) == 8:
        value = int.from_bytes(data, "big")
        return (value & 0x3FFFFFFFF) * NANOSECONDS + (value >> 34)
    if len(data) == 4:
        return int.from_bytes(data, "big") * NANOSECONDS
    if len(data) == 12:
        return int.from_bytes(data[4:], "big", signed=True) * NANOSECONDS + int.from_bytes(data[:4], "big")
    raise ValueError("not a timestamp")
