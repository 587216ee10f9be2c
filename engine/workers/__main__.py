"""`python -m engine.workers KIND`: run one worker; settings come as one line of JSON on stdin."""

from __future__ import annotations

import importlib
import sys

from engine.processes.child import run_child
from engine.workers import KINDS


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in KINDS:
        sys.stderr.write(f"Name one kind of worker: {', '.join(KINDS)}\n")
        return 64
    kind = arguments[0]
    module = importlib.import_module(f"engine.workers.{kind}")
    return run_child(kind, module.Settings, module.main)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
