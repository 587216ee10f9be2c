"""A process of its own that says numbered signals on the hub: its address on stdin, until stdin ends."""

from __future__ import annotations

import asyncio
import sys

import msgspec

from engine.clock import SystemClock
from engine.streams.address import HubAddress
from engine.streams.messages import SIGNALS, Signal, Signals
from engine.streams.transport import open_hub

EVERY = 0.002
FLOOD = 50
"""Signals said at once, now and then."""


def signal(number: int) -> Signals:
    said = Signal(
        signal_id=str(number), sleeve="talker", strategy="numbers", symbol="SPY", weight=0.5, confidence=1.0,
        price=1.0, as_of=number, made_at=number,
    )  # fmt: skip
    return Signals([said])


async def talk(name: str, address: HubAddress) -> int:
    """How many signals were said by the time that stdin ended."""
    transport = open_hub(address, name, SystemClock())
    await transport.start()
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
    number = 0
    while not ended.done():
        for _ in range(FLOOD if number % 500 == 0 else 1):
            number += 1
            transport.publish(SIGNALS, signal(number))
        await asyncio.sleep(EVERY)
    print(number, flush=True)  # noqa: T201
    await asyncio.to_thread(sys.stdin.read)
    await asyncio.sleep(3.0)  # what was said last may still have to be said again
    await transport.close()
    return number


if __name__ == "__main__":
    line = sys.stdin.readline()
    asyncio.run(talk(sys.argv[1], msgspec.json.decode(line, type=HubAddress)))
