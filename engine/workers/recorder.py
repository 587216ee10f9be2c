"""The recorder: writes what goes over the hub into the market database, in batches, off the event loop."""

from __future__ import annotations

import asyncio

import msgspec

from engine.processes.child import Child
from engine.storage.market.address import MarketAddress
from engine.storage.market.recording import Recording
from engine.storage.market.store import open_store
from engine.streams.address import HubAddress
from engine.streams.base import Subscription, Transport
from engine.streams.messages import (
    CANDLES,
    FEED_GAPS,
    FEED_HEALTH,
    FEED_STATUS,
    INDICATORS,
    QUOTES,
    RECORDER_STATUS,
    SIGNALS,
)
from engine.streams.transport import open_hub

TOPICS = (CANDLES, INDICATORS, QUOTES, SIGNALS, FEED_STATUS, FEED_HEALTH, FEED_GAPS)
TELL_EVERY = 1.0


class Settings(msgspec.Struct, kw_only=True):
    hub: HubAddress
    path: str = ""
    url: str = ""
    """Of PostgreSQL; the file `path` is used where it is empty."""
    raw: bool = True
    days: dict[str, int] = {}
    """That the rows of each table are kept, 0 = for ever."""


async def main(child: Child[Settings]) -> None:
    settings = child.settings
    address = MarketAddress(url=settings.url) if settings.url else MarketAddress(path=settings.path)
    recording = Recording(address, open_store(address), child.clock, settings.days, raw=settings.raw)
    transport = open_hub(settings.hub, child.name, child.clock)
    await transport.start()
    subscription = transport.subscribe(TOPICS)
    listening = asyncio.create_task(_listen(subscription, recording))
    telling = asyncio.create_task(_tell(child, transport, subscription, recording))
    try:
        # Ready before the database is: an old and large one takes minutes to be brought to the new form.
        child.ready(address.shown)
        child.progress(await recording.step())
        while not child.stopping.is_set():
            await _pause(child.stopping, recording.pause)
            child.progress(await recording.step())
    finally:
        for task in (listening, telling):
            task.cancel()
        await asyncio.gather(listening, telling, return_exceptions=True)
        await transport.close()
    await recording.finish()


async def _listen(subscription: Subscription, recording: Recording) -> None:
    async for batch in subscription:
        recording.take(batch)


async def _tell(child: Child[Settings], transport: Transport, subscription: Subscription, recording: Recording) -> None:
    while True:
        recording.hub_lost = subscription.dropped + subscription.gaps
        status = recording.status()
        transport.publish(RECORDER_STATUS, status)
        child.detail(status.error or status.database)
        await asyncio.sleep(TELL_EVERY)


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return
