"""The watch list over restarts: the configuration's symbols, and what a person added to them or took away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from engine.domain.errors import DataError
from engine.storage.files import write_whole

log = logging.getLogger(__name__)


class _Changes(msgspec.Struct, forbid_unknown_fields=True):
    added: list[str] = []
    removed: list[str] = []


class WatchList:
    """Changes are kept beside the configuration and not in it, so that what is written there later counts, too.

    `needed` are the bots' symbols: they are on the list even where a person took them off before there was the bot.
    """

    def __init__(self, path: Path, configured: Sequence[str], needed: Collection[str]) -> None:
        self._path = path
        self._configured = list(configured)
        self._needed = frozenset(needed)
        self._changes = _read(path)
        self._writing = asyncio.Lock()

    @property
    def symbols(self) -> list[str]:
        """In the order in which they are shown."""
        removed = set(self._changes.removed) - self._needed
        kept = [symbol for symbol in self._configured if symbol not in removed]
        return list(dict.fromkeys([*kept, *self._changes.added]))

    async def add(self, symbol: str) -> None:
        """Raises DataError when it cannot be kept."""
        removed = [one for one in self._changes.removed if one != symbol]
        added = self._changes.added
        if symbol not in (*self._configured, *added):
            added = [*added, symbol]
        await self._keep(_Changes(added, removed), symbol)

    async def remove(self, symbol: str) -> None:
        """Raises DataError when it cannot be kept."""
        added = [one for one in self._changes.added if one != symbol]
        removed = self._changes.removed
        if symbol in self._configured and symbol not in removed:
            removed = [*removed, symbol]
        await self._keep(_Changes(added, removed), symbol)

    async def _keep(self, changes: _Changes, symbol: str) -> None:
        self._changes = changes
        try:
            async with self._writing:
                await asyncio.to_thread(write_whole, self._path, msgspec.json.encode(self._changes))
        except OSError as error:
            raise DataError(
                f"The watch list has changed for now only: {self._path} cannot be written ({error.strerror or error}).",
                f"Free some space, and change {symbol} again.",
            ) from error


def _read(path: Path) -> _Changes:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Changes)
    except FileNotFoundError:
        pass
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.warning(
            "The watch list is the configuration's: %s cannot be read (%s).", path, error,
            extra={"remedy": "Add again what is missing; the file is then written anew."},
        )  # fmt: skip
    return _Changes()
