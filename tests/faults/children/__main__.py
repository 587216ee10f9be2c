"""`python -m tests.faults.children --faults N [--seed S] [--window]`: N random faults over twelve supervised workers, with
`--window` under the eyes of a person at the console's window. `--parents N [--at-once W]`: kill N supervising parents at
random moments, and look for what they leave.

Prints one JSON line for each thousand faults or hundred parents, and exits with 1 when anything was wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

import msgspec

from tests.faults.children import chaos, parents

FAULTS_A_ROUND = 1_000
PARENTS_A_ROUND = 100


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.faults.children", description=__doc__)
    parser.add_argument("--faults", type=int, default=0)
    parser.add_argument("--parents", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--heartbeat", type=float, default=6.0, help="seconds of silence that are a hang")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--window", action="store_true", help="with the console's window open, on its event loop")
    chosen = parser.parse_args()
    if chosen.window:
        from tests.console.supervised_engine import run_on_qt
        from tests.faults.children.window import Watched

        wrong = run_on_qt(_strike(chosen, Watched))
    else:
        wrong = asyncio.run(_strike(chosen, None))
    for number, count in enumerate(_rounds(chosen.parents, PARENTS_A_ROUND)):
        report = parents.kill_many(count, chosen.seed + number, chosen.at_once)
        _tell(report)
        wrong += len(report.problems)
    return int(wrong > 0)


async def _strike(chosen: argparse.Namespace, show: chaos.Show | None) -> int:
    wrong = 0
    for number, count in enumerate(_rounds(chosen.faults, FAULTS_A_ROUND)):
        with tempfile.TemporaryDirectory() as folder:
            report = await chaos.run(count, chosen.seed + number, Path(folder), chosen.heartbeat, show)
        _tell(report)
        wrong += len(report.problems)
    return wrong


def _rounds(total: int, size: int) -> list[int]:
    return [min(size, total - done) for done in range(0, total, size)]


def _tell(report: msgspec.Struct) -> None:
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
