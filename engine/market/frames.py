"""Decode the frames of Alpaca's data streams: arrays of maps, each beginning with its kind, T; msgpack on our socket.

One typed decode a frame. A frame in which one message cannot be read is decoded again message by message, so that the
others are kept and the bad one is counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from engine.domain.market import Bar, Timeframe, Trade
from engine.market import wire
from engine.market.batch import Batch, Correction
from engine.market.stamps import time_of, times_of


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
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError, OverflowError)

_STAMPED = (wire.StreamTrade, wire.StreamQuote)


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
        except UNREADABLE:
            messages += _one_by_one(data, MSGPACK, frame)
    unpack(messages, frame)
    return frame


def read(data: bytes, encoding: Encoding, frame: Frame) -> list[Any]:
    """The messages, not unpacked; those that cannot be read are counted in `frame`."""
    try:
        found: list[Any] = encoding.all(data)
    except UNREADABLE:
        found = list(_one_by_one(data, encoding, frame))
    return found


def unpack(messages: list[Any], frame: Frame) -> None:
    """Trades and quotes with their times."""
    try:
        stamps = [message.timestamp for message in messages]
    except AttributeError:  # something else is among them
        sort_others([message for message in messages if type(message) not in _STAMPED], frame)
        messages = [message for message in messages if type(message) in _STAMPED]
        stamps = [message.timestamp for message in messages]
    times = times_of(stamps)
    if None in times:
        frame.rejected += times.count(None)
        messages = [message for message, at in zip(messages, times, strict=True) if at is not None]
        times = [at for at in times if at is not None]
    for message, at in zip(messages, times, strict=True):
        message.timestamp = at
    trade_kind = wire.StreamTrade
    frame.trades = [message for message in messages if type(message) is trade_kind]
    frame.quotes = [message for message in messages if type(message) is not trade_kind]


def _one_by_one(data: bytes, encoding: Encoding, frame: Frame) -> Iterable[Any]:
    try:
        parts = encoding.raw(data)
    except UNREADABLE:
        frame.rejected += 1
        return
    for part in parts:
        try:
            yield encoding.one(part)
        except UNREADABLE:
            yield from _without_nulls(part, encoding, frame)


def _without_nulls(part: msgspec.Raw, encoding: Encoding, frame: Frame) -> Iterable[Any]:
    """A field may be null where the venue has nothing to say: the same as one that is not there."""
    try:
        fields = encoding.fields(part)
        yield encoding.one(encoding.encode({key: value for key, value in fields.items() if value is not None}))
    except (*UNREADABLE, TypeError):
        frame.rejected += 1


def sort_others(messages: Iterable[Any], frame: Frame) -> None:
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
        time_of(message.t),
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
