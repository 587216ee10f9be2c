"""`python -m tests.faults --seeds N [--first A] [--workers W]`: days of faults on virtual time.

Each is audited against the exchange's ledger. Prints one JSON line for each day that went wrong, with how to live it again; at the end how many there were and in what
share of the days each fault struck. Progress goes to stderr. Exit code 1 when any went wrong. `--seed S` runs one day
twice and shows that both are the same; with `--log` it tells what the engine told. With `--tally FILE` what was counted
is kept there, and a run that was ended is taken up again at the day at which it stopped, provided that the engine and the
days are still the same to the letter: a hundred thousand take hours.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.day import Result, live
from tests.faults.many import live_many
from tests.faults.tally import Kept

TELL_EVERY = 10.0
"""Seconds between two lines of progress."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2_000, help="how many days")
    parser.add_argument("--first", type=int, default=0, help="the first day's seed")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--tally", type=Path, help="a file from which the run goes on, and in which it is kept")
    parser.add_argument("--seed", type=int, help="this one day, twice")
    parser.add_argument("--log", action="store_true", help="with --seed: the engine's log, to stderr")
    chosen = parser.parse_args()
    logging.disable(logging.NOTSET if chosen.log else logging.CRITICAL)
    return _twice(chosen.seed) if chosen.seed is not None else _all(chosen)


def _twice(seed: int) -> int:
    one, two = live(seed), live(seed)
    print(json.dumps({**_shown(one), "same twice": one == two}, indent=1))
    return int(bool(one.problems) or one != two)


def _all(chosen: argparse.Namespace) -> int:
    kept = Kept(chosen.tally, chosen.first)
    tally, started = kept.tally, time.perf_counter()
    left = range(chosen.first + tally.days, chosen.first + chosen.seeds)
    for result in _told(live_many(left, chosen.workers), len(left)):
        tally.add(result)
        kept.save_sometimes()
        if result.problems:
            again = {"again": f"python -m tests.faults --seed {result.seed}"}
            print(json.dumps({**_shown(result), **again}), flush=True)
    kept.save()
    seconds = time.perf_counter() - started
    figures = {"seconds": round(seconds, 1), "CPU seconds a day": round(_cpu_seconds() / max(len(left), 1), 4)}
    print(json.dumps({**tally.summary(), **figures}, indent=1))
    return int(tally.wrong > 0)


def _told(results: Iterator[Result], total: int) -> Iterator[Result]:
    started = told = time.perf_counter()
    wrong = 0
    for number, result in enumerate(results, 1):
        wrong += bool(result.problems)
        now = time.perf_counter()
        if now - told > TELL_EVERY:
            told, left = now, (now - started) / number * (total - number)
            print(f"{number:,} of {total:,} days, {wrong} wrong, about {left:,.0f} s left", file=sys.stderr, flush=True)
        yield result


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _shown(result: Result) -> dict[str, object]:
    return {name: getattr(result, name) for name in result.__struct_fields__}


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # A day must be the same in every process, and sets of words are in the order of their hashes.
        os.execve(
            sys.executable, [sys.executable, "-m", "tests.faults", *sys.argv[1:]], os.environ | {"PYTHONHASHSEED": "0"}
        )
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
