"""`paddock hub`: make a key, and try the transport that the configuration names."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime

import typer

from engine.clock import SystemClock
from engine.config.settings import Settings
from engine.domain.errors import UnavailableError
from engine.installation import folder_name
from engine.orchestrator.hub import sharing
from engine.streams.address import Sharing
from engine.streams.base import Carrier
from engine.streams.sealing import Seal, new_key
from engine.streams.transport import shared_carrier

PROBE = "check"
LONGEST = 10.0


def key() -> None:
    name = datetime.now(UTC).strftime("%Y-%m-%d")
    typer.echo(f'[[hub.keys]]\nid = "{name}"\nkey = "{new_key()}"')
    typer.echo(
        "Put it into paddock.toml of every machine that shares the hub; docs/hub.md says how to change keys.", err=True
    )


def check(settings: Settings) -> None:
    """Raises UnavailableError with what is wrong and what to do."""
    chosen = sharing(settings, settings.data / folder_name(settings))
    if chosen is None:
        typer.echo("The embedded hub is used; neither Redis nor Kafka is named in the configuration.")
        return
    name, milliseconds = asyncio.run(_round_trip(chosen))
    sealed = f"sealed with key {chosen.keys[0].key_id}" if chosen.keys else "not sealed: name a key in [[hub.keys]]"
    typer.echo(f"{name} answers; a message came back in {milliseconds:.1f} ms; messages are {sealed}.")


async def _round_trip(chosen: Sharing) -> tuple[str, float]:
    clock = SystemClock()
    seal = Seal(chosen.keys, clock) if chosen.keys else None
    carrier = shared_carrier(chosen, PROBE, seal)
    await carrier.start()
    try:
        return carrier.name, await _timed(carrier, clock)
    finally:
        await carrier.close()


async def _timed(carrier: Carrier, clock: SystemClock) -> float:
    loop, came = asyncio.get_running_loop(), asyncio.Event()

    def take(*_: object) -> None:
        loop.call_soon_threadsafe(came.set)

    receiver = carrier.receive([PROBE], None, take, lambda: True)
    deadline = clock.monotonic() + LONGEST
    try:
        # No remedy: nothing is wrong so far, a busy machine may only be slow to connect.
        while (carrier.is_up or not carrier.remedy) and clock.monotonic() < deadline:
            came.clear()
            began = clock.monotonic()
            carrier.send(PROBE, b"")
            with suppress(TimeoutError):
                await asyncio.wait_for(came.wait(), 0.5)
                return (clock.monotonic() - began) * 1e3
    finally:
        await receiver.close()
    raise UnavailableError(
        carrier.reason or f"{carrier.name} takes messages but does not give them back.", carrier.remedy
    )
