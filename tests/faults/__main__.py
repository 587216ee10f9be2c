"""`python -m tests.faults --seeds N [--seed S]`: days of faults on virtual time, audited against the exchange's ledger.

Prints one JSON line for each day that went wrong, and at the end how many there were and in what share of the days each
fault struck. Exit code 1 when any went wrong. `--seed S` runs one day twice and shows that both are the same.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import sys
import time
from collections import Counter

from tests.faults.day import Result, live
from tests.faults.plan import Fault


def run_many(seeds: range, processes: int) -> list[Result]:
    """In order of the seeds."""
    logging.disable(logging.CRITICAL)
    if processes == 1:
        return [live(seed) for seed in seeds]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        return list(pool.imap(live, seeds, chunksize=20))


def summary(results: list[Result]) -> dict[str, object]:
    struck = Counter(fault for result in results for fault in result.fired)
    return {
        "days": len(results),
        "wrong": sum(bool(result.problems) for result in results),
        "orders": sum(result.orders for result in results),
        "fills": sum(result.fills for result in results),
        "lives": sum(result.lives for result in results),
        "share of days in which it struck": {
            fault.value: round(struck[fault.value] / max(len(results), 1), 3) for fault in Fault
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    if chosen.seed is not None:
        one, two = live(chosen.seed), live(chosen.seed)
        print(json.dumps({**_shown(one), "same twice": one == two}, indent=1))
        return int(bool(one.problems) or one != two)
    started = time.perf_counter()
    results = run_many(range(chosen.first, chosen.first + chosen.seeds), chosen.processes)
    for result in results:
        if result.problems:
            print(json.dumps(_shown(result)))
    print(json.dumps({**summary(results), "seconds": round(time.perf_counter() - started, 1)}, indent=1))
    return int(any(result.problems for result in results))


def _shown(result: Result) -> dict[str, object]:
    return {name: getattr(result, name) for name in result.__struct_fields__}


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # A day must be the same in every process, and sets of words are in the order of their hashes.
        os.execve(
            sys.executable, [sys.executable, "-m", "tests.faults", *sys.argv[1:]], os.environ | {"PYTHONHASHSEED": "0"}
        )
    sys.exit(main())
