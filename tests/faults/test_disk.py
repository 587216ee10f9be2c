"""A disk that is really full, and one that turns read-only under the engine: orders halt, cancels and the stop work,
nothing is corrupt, and trading goes on when there is a disk again.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.faults.kill import exchange
from tests.namespace import NAMESPACE, may_mount


def _needs(disk: str) -> None:
    if not may_mount():
        pytest.skip("a file system cannot be mounted here, not even in a namespace of one's own")
    loops = os.geteuid() == 0 and Path("/dev/loop-control").exists() and shutil.which("mkfs.ext4") is not None
    if disk == "broken" and not loops:
        pytest.skip("an ext4 in a file needs root, loop devices and mkfs.ext4")


@pytest.mark.e2e
@pytest.mark.parametrize("disk", ["full", "broken"])
async def test_without_a_disk_nothing_is_sent_but_what_reduces_and_nothing_is_lost(tmp_path: Path, disk: str) -> None:
    _needs(disk)
    folder = tmp_path / "disk"
    folder.mkdir()
    async with exchange() as url:
        process = await asyncio.create_subprocess_exec(
            *NAMESPACE, sys.executable, "-m", "tests.faults.crowded_disk", disk, str(folder), url,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, errors = await asyncio.wait_for(process.communicate(), 100)
    assert (out.decode(), process.returncode) == ("", 0), errors.decode()
    assert "Traceback" not in errors.decode()
