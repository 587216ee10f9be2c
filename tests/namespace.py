"""File systems of a test's own, in a mount namespace that ends with the process in it."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess

NAMESPACE = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
"""To be put before a command that mounts."""


@functools.cache
def may_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False).returncode == 0
