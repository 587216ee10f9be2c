"""Decode the entries of a shared stream: Alpaca's frames as they are on its socket, in JSON or in msgpack.

An entry is a list of messages such as {"T": "t", "S": "SPY", "t": "2025-01-02T14:30:00.1Z", "p": 590.1, "s": 100, "i": 7},
or one of them. Trades, quotes, minutes, corrections and cancellations are taken, the words of a session left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.market.frames import JSON, MSGPACK, Frame, read, unpack


def decode_entries(entries: Iterable[bytes]) -> Frame:
    """All of `entries` as one. Never raises: what cannot be read is counted in `rejected`."""
    frame = Frame()
    messages: list[Any] = []
    for entry in entries:
        begin = entry.lstrip()[:1]
        if begin == b"{":
            messages += read(b"[" + entry + b"]", JSON, frame)
        else:  # no list in msgpack begins with the byte that is [
            messages += read(entry, JSON if begin == b"[" else MSGPACK, frame)
    unpack(messages, frame)
    return frame
