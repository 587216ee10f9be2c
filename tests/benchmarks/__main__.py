"""`python -m tests.benchmarks`: all of them, one after another."""

from __future__ import annotations

import subprocess
import sys

NAMES = (
    "start",
    "tabs",
    "backtest",
    "stream",
    "recorded",
    "exchange",
    "engine",
    "risk",
    "indicators",
    "storage",
    "transports",
    "processes",
)


def main() -> int:
    return max(
        subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=False).returncode for name in NAMES
    )


if __name__ == "__main__":
    sys.exit(main())
