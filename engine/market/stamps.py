"""The times of messages as they are packed on the wire: msgpack's timestamp extension, or JSON's text, to nanoseconds.

Of many at once the usual form is unpacked in columns: the arithmetic on integers of this size is then numpy's.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import msgspec
import numpy as np

from engine.domain.market import NANOSECONDS
from engine.domain.timestamps import parse_rfc3339

IN_COLUMNS = 32
"""So many at least, or the arrays cost more than they save."""
_USUAL = np.dtype([("head", ">u2"), ("packed", ">u8")])
_USUAL_HEAD = 0xD7FF
"""msgpack's fixext 8 of type -1: ten bytes, 30 bits of nanoseconds before 34 of seconds."""
_SECONDS = 0x3_FFFF_FFFF


def times_of(stamps: Sequence[msgspec.Raw]) -> Sequence[int | None]:
    """Int nanoseconds UTC; None for what is no time."""
    if len(stamps) >= IN_COLUMNS and (found := _in_columns(stamps)) is not None:
        return found
    return [_time_or_none(stamp) for stamp in stamps]


def _in_columns(stamps: Sequence[msgspec.Raw]) -> list[int] | None:
    """None unless all have the usual form. A value with that head has ten bytes, so none can lie across two rows."""
    joined = b"".join(stamps)
    if len(joined) != len(stamps) * _USUAL.itemsize:
        return None
    rows = np.frombuffer(joined, _USUAL)
    if (rows["head"] != _USUAL_HEAD).any():
        return None
    packed = rows["packed"].astype(np.uint64)
    times: list[int] = ((packed & _SECONDS) * NANOSECONDS + (packed >> 34)).tolist()
    return times


def _time_or_none(stamp: msgspec.Raw) -> int | None:
    try:
        return time_of(stamp)
    except ValueError:
        return None


def time_of(stamp: msgspec.Raw) -> int:
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
