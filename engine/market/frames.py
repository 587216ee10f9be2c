"""Decode the frames of Alpaca's data streams: arrays of maps, each beginning with its kind, T; msgpack on our socket.

One typed decode a frame. A frame in which one message cannot be read is decoded again message by message, so that the
others are kept and the bad one is counted.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable
from typing import Any

import msgspec

from engine.domain.market import NANOSECONDS, Bar, Quote, Timeframe, Trade
from engine.domain.timestamps import parse_rfc3339
from engine.market import wire
from engine.market.batch import Batch, Correction


class Encoding:
    """Decoders of a frame as a whole and in parts."""

    def __init__(self, module: Any) -> None:
        self.all = module.Decoder(list[wire.Known]).decode
        self.raw = module.Decoder(list[msgspec.Raw]).decode
        self.fields = module.Decoder(dict[str, Any]).decode
        self.one = module.Decoder(wire.Known).decode
        self.encode = module.encode


MSGPACK, JSON = Encoding(msgspec.msgpack), Encoding(msgspec.json)
_decode_all = MSGPACK.all
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)

_unpack_stamp = struct.Struct(">HII").unpack
_STAMP = 0xD7FF
"""The first two bytes of msgpack's timestamp extension in its usual length: fixext 8, type -1."""
_UNPACKED = msgspec.Raw()


class Frame(Batch, kw_only=True):
    """What one or more frames held: the market data, and what the server said of the session."""

    words: Iterable[str] = ()
    errors: Iterable[tuple[int, str]] = ()
    subscribed: Iterable[str] | None = None
    """The symbols whose trades the server sends from now on, when it said so."""


def decode(*frames: bytes | str) -> Frame:
    """All of `frames` as one. Never raises: what cannot be read is counted in `rejected`."""
    frame = Frame()
    messages: list[Any] = []
    for data in frames:
        if isinstance(data, str):
            frame.rejected += 1
            continue
        try:
            messages += _decode_all(data)
        except _UNREADABLE:
            messages += _one_by_one(data, MSGPACK, frame)
    unpack(messages, frame)
    return frame


def read(data: bytes, encoding: Encoding, frame: Frame) -> list[Any]:
    """The messages, not unpacked; those that cannot be read are counted in `frame`."""
    try:
        found: list[Any] = encoding.all(data)
    except _UNREADABLE:
        found = list(_one_by_one(data, encoding, frame))
    return found


def unpack(messages: list[Any], frame: Frame) -> None:
    """Trades and quotes with their times; one loop, because this is what the feed does most."""
    trades: list[Trade] = []
    quotes: list[Quote] = []
    others: list[Any] = []
    unpack_stamp, trade_kind, quote_kind, stamp_head = _unpack_stamp, wire.StreamTrade, wire.StreamQuote, _STAMP
    for message in messages:
        kind = type(message)
        if kind is not trade_kind and kind is not quote_kind:
            others.append(message)
            continue
        try:
            head, upper, lower = unpack_stamp(message.stamp)
        except struct.error:
            head = 0
        if head == stamp_head and not upper & 3:
            message.timestamp = lower * 1_000_000_000 + (upper >> 2)
        elif not _read_rare_time(message):
            frame.rejected += 1
            continue
        if kind is trade_kind:
            message.stamp = _UNPACKED  # it would keep the whole frame in memory for as long as the trade lives
            trades.append(message)
        else:
            quotes.append(message)
    frame.trades, frame.quotes = trades, quotes
    if others:
        _sort(others, frame)


def _read_rare_time(message: wire.StreamTrade | wire.StreamQuote) -> bool:
    try:
        message.timestamp = _rare_time(message.stamp)
    except ValueError:
        return False
    return True


def _one_by_one(data: bytes, encoding: Encoding, frame: Frame) -> Iterable[Any]:
    try:
        parts = encoding.raw(data)
    except _UNREADABLE:
        frame.rejected += 1
        return
    for part in parts:
        try:
            yield encoding.one(part)
        except _UNREADABLE:
            yield from _without_nulls(part, encoding, frame)


def _without_nulls(part: msgspec.Raw, encoding: Encoding, frame: Frame) -> Iterable[Any]:
    """A field may be null where the venue has nothing to say: the same as one that is not there."""
    try:
        fields = encoding.fields(part)
        yield encoding.one(encoding.encode({key: value for key, value in fields.items() if value is not None}))
    except (*_UNREADABLE, TypeError):
        frame.rejected += 1


def _sort(messages: Iterable[Any], frame: Frame) -> None:
    bars: list[Bar] = []
    daily: list[Bar] = []
    corrections: list[Correction] = []
    words: list[str] = []
    errors: list[tuple[int, str]] = []
    for message in messages:
        try:
            match message:
                case wire.DailyBar():
                    daily.append(_bar(message, Timeframe.DAY_1, closed=False))
                case wire.StreamBar():
                    bars.append(_bar(message, Timeframe.MINUTE_1, closed=True))
                case wire.StreamCorrection():
                    corrections.append(_correction(message))
                case wire.StreamCancellation():
                    corrections.append(Correction(message.S, message.x, message.i, message.p, message.s, 0))
                case wire.Success():
                    words.append(message.msg)
                case wire.Error():
                    errors.append((message.code, message.msg))
                case wire.Subscription():
                    words.append("subscription")
                    frame.subscribed = message.trades
        except ValueError:
            frame.rejected += 1
    frame.bars, frame.daily, frame.corrections, frame.words, frame.errors = bars, daily, corrections, words, errors


def _bar(message: wire.StreamBar, timeframe: Timeframe, closed: bool) -> Bar:
    return Bar(
        message.S,
        timeframe,
        _rare_time(message.t),
        message.o,
        message.h,
        message.l,
        message.c,
        message.v,
        message.n or 0,
        message.vw or 0.0,
        closed,
    )


def _correction(message: wire.StreamCorrection) -> Correction:
    fixed = Trade(message.S, message.cp, message.cs, 0, message.x, message.cc, message.ci, message.z)
    return Correction(message.S, message.x, message.oi, message.op, message.os, 0, fixed)


def _rare_time(stamp: msgspec.Raw) -> int:
    """Nanoseconds of the timestamp extension in any of its three lengths, or of JSON's text. Raises ValueError.

    Source: https://github.com/msgpack/msgpack/blob/master/spec.md
    """
    data = bytes(stamp)
    if data[:2] == b"\xd7\xff" and len(data) == 10:
        value = int.from_bytes(data[2:], "big")
        return (value & 0x3FFFFFFFF) * NANOSECONDS + (value >> 34)
    if data[:2] == b"\xd6\xff" and len(data) == 6:
        return int.from_bytes(data[2:], "big") * NANOSECONDS
    if data[:3] == b"\xc7\x0c\xff" and len(data) == 15:
        return int.from_bytes(data[7:], "big", signed=True) * NANOSECONDS + int.from_bytes(data[3:7], "big")
    if data[:1] == b'"':
        return _text_time(data[1:-1])
    raise ValueError("not a timestamp")


def _text_time(text: bytes) -> int:
    """The usual form without a walk over its characters: the times of a burst share their second."""
    head, fraction = text[:19], text[20:-1]
    if text[19:20] == b"." and text[-1:] == b"Z" and fraction.isdigit() and len(fraction) <= 9:
        return _second(head) + int(fraction.ljust(9, b"0"))
    return parse_rfc3339(text.decode())


@functools.lru_cache(maxsize=256)
def _second(text: bytes) -> int:
    return parse_rfc3339(text.decode())
