"""Which of the two readers takes a burst: the compiled one, once it is loaded, or the decoder that reads anything.

The kernel takes a second to load, or several the first time on a machine. A feed begins without it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from engine.market.frames import Frame, decode

if TYPE_CHECKING:
    from engine.market.packed.reader import Reader

log = logging.getLogger(__name__)

LEAST = 4_096
"""Bytes of a burst: a smaller one takes longer to hand over than to decode."""
RESTS = 32
"""Bursts that are not tried after one that was not read: what is unusual, or of very many symbols, comes again."""
_make_reader: type[Reader] | None = None


def load() -> None:
    """In a thread. Every source of this process reads with the kernel from then on."""
    global _make_reader
    try:
        from engine.market.packed.reader import Reader

        Reader().read([msgspec.msgpack.encode(_ONE_OF_EACH)])
    except Exception as error:  # a compiler that does not work here costs speed and nothing else
        log.warning(
            "Market data is read without compiled code, which takes twice the processor time: %s", error,
            extra={"remedy": "Install numba anew (make setup), or let Paddock be."},
        )  # fmt: skip
        return
    _make_reader = Reader


class Decoder:
    """Of one source."""

    def __init__(self) -> None:
        self._reader: Reader | None = None
        self._rests = 0

    def decode(self, burst: Sequence[bytes | str]) -> Frame:
        """As `frames.decode`."""
        if self._reader is None and _make_reader is not None:
            self._reader = _make_reader()
        if self._reader is None or sum(map(len, burst)) < LEAST:
            return decode(*burst)
        if self._rests:
            self._rests -= 1
            return decode(*burst)
        packed = [frame for frame in burst if isinstance(frame, bytes)]
        if len(packed) == len(burst) and (found := self._reader.read(packed)) is not None:
            return found
        self._rests = RESTS
        return decode(*burst)


_STAMP = msgspec.msgpack.Ext(-1, bytes(8))
_ONE_OF_EACH = (
    {"T": "t", "S": "A", "t": _STAMP, "p": 1.0, "s": 1.0},
    {"T": "q", "S": "A", "t": _STAMP, "bp": 1.0, "bs": 1.0, "ap": 1.0, "as": 1.0},
)
