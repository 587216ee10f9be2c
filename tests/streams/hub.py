"""A real hub for tests: the supervised proxy process, transports of named senders, and readers that collect."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress

from engine.clock import SystemClock
from engine.processes.specification import ProcessSpec, RestartPolicy
from engine.processes.states import ProcessState
from engine.processes.supervisor import Supervisor
from engine.streams.address import HubAddress
from engine.streams.base import Delivery
from engine.streams.messages import WATCH, Watch
from engine.streams.subscription import HubSubscription
from engine.streams.transport import HubTransport, open_hub
from engine.tables import Table
from engine.views import ProcessRow


class Hub:
    def __init__(self, address: HubAddress) -> None:
        self.address = address
        self.table: Table[ProcessRow] = Table()
        self.supervisor = Supervisor(self.table, SystemClock(), log_folder=None, on_event=lambda event: None, seed=1)
        self.supervisor.add(
            ProcessSpec(
                name="hub",
                kind="hub",
                group="system",
                settings=lambda: {"hub": self.address},
                restart=RestartPolicy(first=0.05),
            )
        )
        self.transports: list[HubTransport] = []
        self.reads_in_thread = False

    async def start(self) -> None:
        await self.supervisor.start(["hub"])
        await self.running()

    async def running(self) -> None:
        await self.supervisor.wait_state("hub", (ProcessState.RUNNING,), 20)

    async def transport(self, sender: str) -> HubTransport:
        transport = open_hub(self.address, sender, SystemClock(), self.reads_in_thread)
        self.transports.append(transport)
        await transport.start()
        return transport

    def kill(self) -> None:
        row = self.table.get("hub")
        assert row is not None
        os.kill(row.pid, signal.SIGKILL)

    async def close(self) -> None:
        for transport in self.transports:
            await transport.close()
        await self.supervisor.stop_all()


class Reader:
    """Collects what a subscription delivers; `acks` as a reader of a group does."""

    def __init__(self, subscription: HubSubscription, acks: bool = False) -> None:
        self.subscription = subscription
        self.seen: list[Delivery] = []
        self._acks = acks
        self._task = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for batch in self.subscription:
            self.seen += batch
            if self._acks:
                await self.subscription.ack()

    def numbers(self, sender: str) -> list[int]:
        return [int(d.message.add[0]) for d in self.seen if isinstance(d.message, Watch) and d.sender == sender]

    async def hears(self, transport: HubTransport, topic: str = WATCH) -> None:
        """Speak until we are heard: a new subscription takes a moment to reach the senders."""
        before = len(self.seen)
        await until(lambda: len(self.seen) > before, lambda: transport.publish(topic, Watch(add=["0"])))

    async def ended(self) -> None:
        async with asyncio.timeout(5):
            await self._task

    async def stop(self) -> None:
        """Read no more, and acknowledge nothing more."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


async def until(condition: Callable[[], bool], act: Callable[[], None] = lambda: None, longest: float = 20) -> None:
    async with asyncio.timeout(longest):
        while not condition():
            act()
            await asyncio.sleep(0.01)
