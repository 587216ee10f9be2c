"""A supervisor with children that behave as they are told, and what became of them."""

from __future__ import annotations

import sys
from typing import Any

from engine.clock import SystemClock
from engine.domain.incidents import Incident
from engine.processes.events import ProcessEvent, StateChanged
from engine.processes.registry import ChildRegistry
from engine.processes.specification import ProcessSpec, RestartPolicy
from engine.processes.states import ProcessState
from engine.processes.supervisor import Supervisor
from engine.tables import Table
from engine.views import ProcessRow

COMMAND = (sys.executable, "-m", "tests.processes.worker")
ORPHANS_LAST = 3.0
QUICK = RestartPolicy(first=0.02, longest=0.1, budget=2)


class Stage:
    def __init__(self, registry: ChildRegistry | None = None) -> None:
        self.events: list[ProcessEvent] = []
        self.table: Table[ProcessRow] = Table()
        self.supervisor = Supervisor(
            self.table, SystemClock(), log_folder=None, on_event=self.events.append, seed=1, registry=registry
        )

    def add(self, mode: str, name: str = "child", **limits: Any) -> None:
        limits = {"restart": QUICK, "stop_wait": 2.0, **limits}
        self.supervisor.add(
            ProcessSpec(
                name=name, kind="test", group="test", command=COMMAND, settings=lambda: {"mode": mode}, **limits
            )
        )

    def row(self, name: str = "child") -> ProcessRow:
        row = self.table.get(name)
        assert row is not None
        return row

    async def reaches(self, *states: ProcessState, name: str = "child") -> ProcessState:
        return await self.supervisor.wait_state(name, states, 20)

    def states(self) -> list[ProcessState]:
        return [event.new for event in self.events if isinstance(event, StateChanged)]

    def cards(self) -> list[Incident]:
        return [event for event in self.events if isinstance(event, Incident)]

    def order(self) -> list[tuple[str, ProcessState]]:
        return [(event.name, event.new) for event in self.events if isinstance(event, StateChanged)]
