"""Where the configuration of a backup goes: into a data folder that has none, else beside the file that counts."""

from __future__ import annotations

from pathlib import Path

from engine.config.load import FILE_NAME, config_path
from engine.storage.backup.manifest import SETTINGS, Manifest
from engine.storage.files import write_whole


def put_settings(backup: Path, data: Path, manifest: Manifest) -> list[str]:
    """What to tell of it. Raises OSError."""
    if not manifest.has(SETTINGS):
        return []
    content = (backup / SETTINGS).read_bytes()
    in_use = config_path(data)
    if in_use.is_file():
        return [f"The configuration {in_use} stays; the one of the backup is {backup / SETTINGS}."]
    write_whole(data / FILE_NAME, content)
    missing = content.decode().count(" is a secret and was not saved")
    secrets = f"; {missing} secrets must be set again, its first lines name them" if missing else ""
    return [f"The configuration was put in {data / FILE_NAME}{secrets}."]
