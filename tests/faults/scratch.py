"""Files of a test whose subject is not the disk."""

from __future__ import annotations

import tempfile
from pathlib import Path

SHM = Path("/dev/shm")


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """In memory where there is such a file system: nothing waits for the disk."""
    return tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None)
