"""The strings that messages share: symbols, exchanges, tapes, conditions. Each is made once and has a number."""

from __future__ import annotations

import msgspec
import numpy as np

from engine.market.packed import kernel

SLOTS = 16_384
MOST = SLOTS // 2
"""Then all are forgotten: no venue has nearly as many, what is garbled may."""
_text = msgspec.msgpack.Decoder(str).decode
_texts = msgspec.msgpack.Decoder(tuple[str, ...]).decode


class Words:
    def __init__(self) -> None:
        self.slots = np.zeros((SLOTS, 3), np.int64)
        """As `kernel.slot_of` says."""
        self.objects = np.empty(MOST, object)
        """By number."""
        self.objects[kernel.NO_TEXT], self.objects[kernel.NO_CONDITIONS] = "", ()
        self.count = kernel.FIRST_FREE

    def learn(self, packed: bytes, kind: int) -> None:
        """Raises one of `frames.UNREADABLE` for what is no such word."""
        found = _texts(packed) if kind == kernel.CONDITIONS else _text(packed)
        if self.count >= MOST:
            self.slots[:] = 0
            self.count = kernel.FIRST_FREE
        data = np.frombuffer(packed, np.uint8)
        low, high, mixed = kernel.key(data, 0 if kind == kernel.CONDITIONS else 1, len(packed), kind)
        self.slots[kernel.slot_of(self.slots, low, high, mixed)] = low, high, self.count
        self.objects[self.count] = found
        self.count += 1
