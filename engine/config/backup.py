"""Settings of the backups that the engine makes by itself; docs/backup.md."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from engine.config.section import Section


def _absolute(folder: Path | None) -> Path | None:
    return folder.expanduser().absolute() if folder is not None else None


class BackupSection(Section):
    every_h: float = Field(24.0, ge=0, le=8_784, description="hours between two backups; 0 makes none")
    folder: Annotated[Path | None, AfterValidator(_absolute)] = Field(
        None, description="empty for `backups` in the data folder; another disk is better"
    )
    keep: int = Field(7, ge=1, le=1_000, description="how many of those made by itself are kept; the oldest go")
    market_database: bool = Field(False, description="whether the market database is saved, too; it may be large")
    lake: bool = Field(False, description="whether the lake's files are saved, where it is a folder; else their list")
