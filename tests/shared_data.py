"""Where the recorded data lies that some tests run on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("PADDOCK_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))

needs_shared_data = pytest.mark.skipif(
    not (FOLDER / "trades").is_dir(), reason=f"no recorded data in {FOLDER}; set PADDOCK_SHARED_DATA"
)
