"""Keep one small process that ends what our children leave behind: see `engine.processes.orphan_reaper`.

Children die with us by themselves, but what they started does not, and may have left their group.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections import deque
from pathlib import Path

from engine.processes import lifeline

log = logging.getLogger(__name__)

UNTOLD = 1_000
"""Lives kept for the next such process while there is none; what is older ends with us."""
_SCRIPT = Path(__file__).with_name("orphan_reaper.py")


class _Outliving(subprocess.Popen[bytes]):
    """It is meant to run when this process ends; a Popen and the file of its pipe warn of that at the interpreter's end,
    this one and the bare descriptor `pipe` do not.
    """

    pipe: int

    def __del__(self) -> None:
        return


class Guard:
    """One for this process, as its mark is; it needs no end, because it ends after us."""

    def __init__(self) -> None:
        self._process: _Outliving | None = None
        self._untold: deque[str] = deque(maxlen=UNTOLD)

    @property
    def pid(self) -> int:
        """0 while there is none."""
        return self._process.pid if self._process is not None else 0

    def ensure(self) -> None:
        """Start it unless it runs. Windows has job objects instead (`engine.processes.windows_job`)."""
        if sys.platform == "win32" or (self._process is not None and self._process.poll() is None):
            return
        if self._process is not None:
            os.close(self._process.pipe)
            log.warning("the process that ends orphans has itself ended, and is started again")
        try:
            self._process = _start()
        except OSError as error:
            self._process = None
            log.warning("children's children may outlive a crash of Paddock until its next start: %s", error)
        self._tell()

    def end(self, life: str) -> None:
        """A child is gone: have what it started ended wherever it is. Never waits; what cannot be told now is told by
        the next `ensure` or `end`.
        """
        self._untold.append(life)
        self._tell()

    def _tell(self) -> None:
        if self._process is None:
            return
        while self._untold:
            try:
                os.write(self._process.pipe, f"{self._untold[0]}\n".encode())
            except OSError:  # it is dead, or does not listen
                return
            self._untold.popleft()


def _start() -> _Outliving:
    """Without our marks, by which it would end itself, and without `site`, which would cost it most of its time."""
    ours = {lifeline.MARK, lifeline.LIFE}
    process = _Outliving(
        [sys.executable, "-I", "-S", str(_SCRIPT), str(os.getpid()), lifeline.mark()],
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={name: value for name, value in os.environ.items() if name not in ours},
    )
    assert process.stdin is not None
    process.pipe = os.dup(process.stdin.fileno())
    process.stdin.close()
    os.set_blocking(process.pipe, False)
    return process


GUARD = Guard()
