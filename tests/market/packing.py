"""Messages of Alpaca's data stream as maps, to be packed."""

from __future__ import annotations

from typing import Any

from msgspec import msgpack

from engine.domain.market import NANOSECONDS, Trade


def stamp(time: int) -> msgpack.Ext:
    seconds, fraction = divmod(time, NANOSECONDS)
    return msgpack.Ext(-1, (fraction << 34 | seconds).to_bytes(8, "big"))


def packed_trade(symbol: str, time: int, number: int) -> dict[str, Any]:
    return told(Trade(symbol, 100.0 + number % 7, 5.0, time, "V", ("@", "I"), number, "C"))


def told(trade: Trade) -> dict[str, Any]:
    return {
        "T": "t", "S": trade.symbol, "i": trade.trade_id, "x": trade.exchange, "p": trade.price, "s": trade.size,
        "c": trade.conditions, "z": trade.tape, "t": stamp(trade.timestamp),
    }  # fmt: skip


def packed_quote(symbol: str, time: int, number: int) -> dict[str, Any]:
    return {
        "T": "q", "S": symbol, "bx": "V", "bp": 99.5, "bs": 1, "ax": "V", "ap": 100.5 + number % 3, "as": 2,
        "c": ["R"], "z": "C", "t": stamp(time),
    }  # fmt: skip
