"""AES-256-GCM around envelopes on transports that others can reach: what is read was written by a holder of the key.

A sealed frame: version (1 byte), length of the key's id (1), the id, nonce (12), ciphertext with its tag of 16 bytes
(NIST SP 800-38D). The topic is authenticated with it, so a frame cannot be moved to another topic. A nonce is a random
prefix of 64 bits for each process, and a counter of 32; a spent counter draws a new prefix. A frame that is sent again
by somebody else is found out by its sequence number.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.clock import Clock
from engine.domain.errors import ConfigurationError
from engine.streams.address import SealingKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = 1
KEY_BYTES = 32
_PREFIX, _NONCE, _TAG = 8, 12, 16
COUNTER_END = 1 << 32
OVERLAP_S = 24 * 3600.0
"""Seconds after its retirement during which a key still opens what it sealed."""


class SealError(ValueError):
    """The frame is not sealed, not with a key we hold, or not what was sealed."""


class Seal:
    """Seals with the first key that is not retired, opens with all that are not past their time.

    Raises ConfigurationError for a key that is none.
    """

    def __init__(self, keys: Sequence[SealingKey], clock: Clock) -> None:
        from cryptography.exceptions import InvalidTag

        if not keys:
            raise ConfigurationError("Encryption needs a key.", "Make one: paddock hub key.")
        self._clock = clock
        self._invalid_tag = InvalidTag
        self._ciphers = {key.key_id.encode(): (_cipher(key), key.retired_at) for key in keys}
        self._keys = list(keys)
        self._head, self._cipher, self._until = self._choose()
        self._prefix, self._counter = os.urandom(_PREFIX), 0

    def seal(self, topic: str, frame: bytes) -> bytes:
        if self._until and self._clock.now() >= self._until:
            self._head, self._cipher, self._until = self._choose()
        nonce = self._prefix + self._counter.to_bytes(_NONCE - _PREFIX, "big")
        self._counter += 1
        if self._counter == COUNTER_END:
            self._prefix, self._counter = os.urandom(_PREFIX), 0
        return self._head + nonce + self._cipher.encrypt(nonce, frame, topic.encode())

    def open(self, topic: str, frame: bytes) -> bytes:
        """Raises SealError."""
        if len(frame) < 2 or frame[0] != VERSION:
            raise SealError("not sealed")
        start = 2 + frame[1]
        nonce, sealed = frame[start : start + _NONCE], frame[start + _NONCE :]
        cipher, retired_at = self._ciphers.get(frame[2:start], (None, 0))
        if cipher is None or len(sealed) < _TAG:
            raise SealError("sealed with a key we do not hold")
        if retired_at and self._clock.now() > retired_at + OVERLAP_S * 1e9:
            raise SealError("sealed with a key whose time is over")
        try:
            return cipher.decrypt(nonce, sealed, topic.encode())
        except self._invalid_tag:
            raise SealError("not what was sealed") from None

    def _choose(self) -> tuple[bytes, AESGCM, int]:
        """Head, cipher and end of the first key that is in use; where all are retired, of the last."""
        now = self._clock.now()
        current = next((key for key in self._keys if not key.retired_at or key.retired_at > now), self._keys[-1])
        name = current.key_id.encode()
        until = current.retired_at if current.retired_at > now else 0
        return bytes((VERSION, len(name))) + name, self._ciphers[name][0], until


def new_key() -> str:
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def _cipher(key: SealingKey) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        raw = base64.b64decode(key.key, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != KEY_BYTES or not 0 < len(key.key_id.encode()) < 256:
        raise ConfigurationError(
            f"The hub's key {key.key_id!r} is not 32 bytes in base64.", "Make one with: paddock hub key."
        )
    return AESGCM(raw)
