"""Marks of the start, for whoever measures it."""

from __future__ import annotations

import os
import sys


def mark(word: str) -> None:
    """With PADDOCK_MARK set, say on stdout how far the start is: the benchmark of the start reads it."""
    if os.environ.get("PADDOCK_MARK"):
        sys.stdout.write(f"{word}\n")
        sys.stdout.flush()
