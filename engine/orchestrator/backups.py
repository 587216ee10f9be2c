"""The backups that the engine makes by itself, in a thread, when one is due; and for the health, how old the last is."""

from __future__ import annotations

import asyncio
import logging
import threading
from pathlib import Path

from engine.clock import Clock
from engine.config.settings import Settings
from engine.domain.errors import PaddockError
from engine.domain.events import Severity
from engine.domain.market import NANOSECONDS
from engine.orchestrator.checks import Tell
from engine.orchestrator.health import write_backup
from engine.orchestrator.schedule import Schedule
from engine.storage.backup.manifest import LAKE_LIST, Manifest
from engine.tables import Table
from engine.views import HealthRow

log = logging.getLogger(__name__)

LONGEST_PAUSE = 300.0
"""Seconds between two looks at whether one is due."""
HOUR = 3_600.0


class _GivenUpError(Exception):
    """The engine stops, and does not wait for a backup."""


class BackupDesk:
    def __init__(self, settings: Settings, folder: Path, health: Table[HealthRow], clock: Clock, tell: Tell) -> None:
        """`folder` is where they go unless the settings name another."""
        self._settings = settings
        self._section = settings.backup
        self._folder = settings.backup.folder or folder
        self._health = health
        self._clock = clock
        self._tell = tell
        self._newest: tuple[Path, Manifest] | None = None
        self._looked = False
        self._longest = float("inf")
        """Seconds that the newest may be old; after a night without Paddock it is old until the first one is due."""
        self._failure = ""
        self._closing = threading.Event()

    def join(self, schedule: Schedule) -> None:
        """A replay begins anew each time, so nothing of it is saved."""
        if self._settings.exchange.replay is not None or not self._section.every_h:
            return
        schedule.every(min(self._section.every_h * HOUR / 2, LONGEST_PAUSE), "backup", self.look)
        schedule.join("display", self._show)

    async def look(self) -> None:
        """Make one if it is due. The first look only finds out what there is: a start has more urgent work."""
        try:
            if not self._looked:
                self._newest = await asyncio.to_thread(self._find)
                self._looked = True
            elif self._age() >= self._section.every_h * HOUR:
                self._longest = 2 * self._section.every_h * HOUR
                await asyncio.to_thread(self._make)
                self._succeeded()
        except _GivenUpError:
            log.info("a backup was given up, because the engine stops")
        except PaddockError as error:
            self._failed(f"No backup was made. {error.message}", error.remedy)
        except OSError as error:
            self._failed(
                f"The backups in {self._folder} cannot be kept in order: {error.strerror or error}.",
                "Check that the disk is there and that you may write to it.",
            )

    def close(self) -> None:
        """What is being made is given up soon."""
        self._closing.set()

    def _age(self) -> float:
        """Seconds; infinite when there is none."""
        if self._newest is None:
            return float("inf")
        return (self._clock.now() - self._newest[1].made_at) / NANOSECONDS

    def _find(self) -> tuple[Path, Manifest] | None:
        from engine.storage.backup.keep import backups

        return next(reversed(backups(self._folder, self._settings.environment.value)), None)

    def _make(self) -> None:
        from engine.storage.backup.create import create
        from engine.storage.backup.keep import thin_out
        from engine.storage.backup.lake_list import read_list
        from engine.storage.backup.source import source_of

        source = source_of(self._settings, market=self._section.market_database, lake=self._section.lake)
        known = read_list(self._newest[0] / LAKE_LIST) if self._newest is not None else None
        now = self._clock.now()
        self._newest = create(source, self._folder, now, scheduled=True, known=known, look=self._look_up)
        thin_out(self._folder, source.environment, self._section.keep)

    def _look_up(self) -> None:
        if self._closing.is_set():
            raise _GivenUpError

    def _succeeded(self) -> None:
        assert self._newest is not None
        path, manifest = self._newest
        log.info("backup %s, %.1f MB", path, manifest.size_bytes / 1e6)
        if manifest.failed:
            missing = "; ".join(f"the {what}: {why}" for what, why in manifest.failed.items())
            self._failed(
                f"The last backup lacks {missing}", "Everything else is saved; mend it, or leave it out in [backup]."
            )
        elif self._failure:
            self._failure = ""
            self._tell("backup", f"Backups are made again: {path}.", "", Severity.INFO)

    def _failed(self, message: str, remedy: str) -> None:
        """Told once for each new reason; it is tried again at the next look."""
        if message != self._failure:
            self._failure = message
            self._tell("backup", message, remedy, Severity.ERROR)

    async def _show(self) -> None:
        if self._looked or self._failure:
            write_backup(
                self._health, self._newest[0] if self._newest is not None else None, self._age(), self._failure,
                self._longest, self._clock.now(),
            )  # fmt: skip
