"""Kafka as a carrier: an idempotent producer on an event loop of its own, in a thread of its own.

One Kafka topic for each family of our topics, made by us where the broker permits it, or by the broker. Messages are
keyed by their sender, so that each sender's stay in order within a partition. A record carries as many messages as were
waiting.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from engine.streams.address import KafkaAddress
from engine.streams.base import Frame, HasRoom, Receiver, Take
from engine.streams.kafka_connection import connection, explain
from engine.streams.outbox import Outbox
from engine.streams.packing import packs
from engine.streams.sealing import Seal

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

log = logging.getLogger(__name__)

LOOK_EVERY = 0.5
"""Seconds without anything to send after which the brokers are asked whether they are there."""
RETRY_EVERY = 0.5
FIRST_CONNECTION_S = 2.0


class LoopThread:
    """An event loop in a thread: Kafka's client needs one, and the window's is slow."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="kafka", daemon=True)
        self._thread.start()

    async def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    async def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        # The client's own words about a broker that is away come many times a second; ours come once.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        self.loop.run_forever()
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.wait(left))
        self.loop.close()


class KafkaCarrier:
    """See `streams.base.Carrier`."""

    name = "Kafka"
    is_shared = True

    def __init__(self, address: KafkaAddress, namespace: str, sender: str, seal: Seal | None) -> None:
        self.is_up = False
        self.connections = 0
        self.reason = "Kafka has not answered yet."
        self.remedy = ""
        self._address = address
        self._prefix = f"{namespace}."
        self._sender = sender
        self._seal = seal
        self._outbox = Outbox()
        self._thread: LoopThread | None = None
        self._writing: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._wake = asyncio.Event()
        self._stopping = False

    @property
    def dropped(self) -> int:
        return self._outbox.dropped

    async def start(self) -> None:
        await self._in_thread().do(self._begin())
        await asyncio.to_thread(self._ready.wait, FIRST_CONNECTION_S)

    def send(self, topic: str, frame: bytes) -> None:
        if self._outbox.put((topic, frame)) and self._thread is not None:
            self._thread.loop.call_soon_threadsafe(self._wake.set)

    def take_unsent(self) -> list[Frame]:
        return self._outbox.take_back(waiting=not self.is_up)

    def poll(self) -> None:
        return

    def receive(self, topics: Sequence[str], group: str | None, take: Take, has_room: HasRoom) -> Receiver:
        from engine.streams.kafka_reader import KafkaReader

        return KafkaReader(self._in_thread(), self._address, self._prefix, topics, group, take, has_room)

    async def close(self) -> None:
        if self._thread is None:
            return
        if self._writing is not None:
            await self._thread.do(self._end(self._writing))
        await self._thread.close()

    def _in_thread(self) -> LoopThread:
        if self._thread is None:
            self._thread = LoopThread()
        return self._thread

    async def _begin(self) -> None:
        self._writing = asyncio.create_task(self._run())

    async def _end(self, writing: asyncio.Task[None]) -> None:
        self._stopping = True
        self._wake.set()
        await asyncio.wait([writing], timeout=self._address.timeout_s)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)

    async def _run(self) -> None:
        from aiokafka.errors import KafkaError

        while not self._stopping:
            producer = None
            try:
                producer = _producer(self._address, self._sender)
                async with asyncio.timeout(self._address.timeout_s * 2):
                    await producer.start()
                self._came_up()
                await self._write(producer)
            except (KafkaError, OSError, TimeoutError, ValueError) as error:
                self.is_up = False
                self.reason, self.remedy = await explain(error, self._address)
                self._outbox.fail()
                await asyncio.sleep(RETRY_EVERY)
            finally:
                if producer is not None:
                    await stop(producer, self._address.timeout_s)

    async def _write(self, producer: AIOKafkaProducer) -> None:
        while True:
            self._wake.clear()
            if frames := self._outbox.take(0.0):
                await self._send(producer, frames)
                self._outbox.sent()
            elif self._stopping:
                return
            else:
                await self._wait(producer)

    async def _wait(self, producer: AIOKafkaProducer) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), LOOK_EVERY)
        except TimeoutError:
            async with asyncio.timeout(self._address.timeout_s):
                if not await producer.client.force_metadata_update():
                    raise ConnectionError("no broker answers") from None

    async def _send(self, producer: AIOKafkaProducer, frames: Sequence[Frame]) -> None:
        """Returns when the brokers have all of it."""
        async with asyncio.timeout(self._address.timeout_s):
            sent = [
                await producer.send(self._prefix + name, packed, key=self._sender.encode())
                for name, packed in packs(frames, self._seal)
            ]
            await asyncio.gather(*sent)

    def _came_up(self) -> None:
        log.info("Kafka at %s answers", self._address.servers)
        self.connections += 1
        self.reason = self.remedy = ""
        self.is_up = True
        self._ready.set()


async def stop(client: Any, seconds: float) -> None:
    """A client whose broker is away may wait for it in vain when it is told to stop.

    In a task of its own, because a consumer that was fetching says that it was cancelled, and would end who stops it.
    """
    stopping = asyncio.ensure_future(client.stop())
    try:
        await asyncio.wait([stopping], timeout=seconds)
    finally:
        stopping.cancel()
        stopping.add_done_callback(_note_end)


def _note_end(stopping: asyncio.Future[None]) -> None:
    if not stopping.cancelled() and (error := stopping.exception()) is not None:
        log.debug("stopping a Kafka client: %s", error)


def _producer(address: KafkaAddress, sender: str) -> AIOKafkaProducer:
    from aiokafka import AIOKafkaProducer

    return AIOKafkaProducer(
        client_id=sender,
        enable_idempotence=True,
        max_batch_size=1 << 20,
        max_request_size=4 << 20,
        **connection(address),
    )
