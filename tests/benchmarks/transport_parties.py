"""Senders and readers of the hub's benchmark, ours and the bare client libraries', each in a process of its own.

All carry the same candles in the same encoding. A sender stays within a window of what its reader has counted, so that
nobody is measured while it throws messages away.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable
from typing import Any

import msgspec

from engine import event_loop
from engine.clock import SystemClock
from engine.domain.market import Bar, Timeframe
from engine.streams.address import HubAddress
from engine.streams.messages import Candles
from engine.streams.transport import open_hub

TOPIC, STREAM = "candles.1m", "bare-candles"
SPAWN = multiprocessing.get_context("spawn")
PIPELINE = 100
BAR = Bar(
    symbol="SPY", timeframe=Timeframe.MINUTE_1, timestamp=1, open=1.5, high=2.5, low=0.5, close=1.25, volume=100.0,
    trade_count=7, vwap=1.3,
)  # fmt: skip

Counter = Any
"""A shared c_longlong without a lock: one process writes, one reads."""


class Bare(msgspec.Struct, array_like=True):
    sent_at: int
    message: Candles


class Job(msgspec.Struct, frozen=True):
    """`per_second` 0 sends as fast as the window lets it."""

    address: HubAddress
    way: str
    is_bare: bool
    batch: int
    count: int
    window: int
    per_second: int = 0

    @property
    def message(self) -> Candles:
        return Candles(Timeframe.MINUTE_1, [BAR] * self.batch)


class Pace:
    """When the next message may be sent."""

    def __init__(self, job: Job, received: Counter) -> None:
        self._job = job
        self._received = received
        self._began = time.perf_counter()
        self.sent = 0

    def may_send(self) -> int:
        """How many now; never more than a pipeline's worth."""
        job, room = self._job, self._job.window - (self.sent - self._received.value)
        if job.per_second:
            room = int((time.perf_counter() - self._began) * job.per_second) - self.sent
        return int(max(0, min(room, job.count - self.sent, PIPELINE)))

    def pause(self) -> float:
        """Seconds until there may be room; to look more often would take the processor from the readers."""
        if not self._job.per_second:
            return 0.0002
        return max(self._began + (self.sent + 1) / self._job.per_second - time.perf_counter(), 0.0)


class Found(msgspec.Struct):
    """What a reader saw of a run, and what it cost: `waits` in microseconds, `cpu_us` of processor time a message."""

    waits: list[float]
    seconds: float
    cpu_us: float


async def drive(job: Job, received: Counter, send: Callable[[int], Any]) -> None:
    pace = Pace(job, received)
    while pace.sent < job.count:
        if number := pace.may_send():
            if (waiting := send(number)) is not None:
                await waiting
            pace.sent += number
            await asyncio.sleep(0)
        else:
            await asyncio.sleep(pace.pause())


def sender(job: Job, received: Counter, go: Any, answer: Any) -> None:
    """Puts microseconds of processor time a message into `answer`."""
    cpu = event_loop.run((_send_bare if job.is_bare else _send_ours)(job, received, go))
    answer.put(cpu / job.count * 1e6)


async def _send_ours(job: Job, received: Counter, go: Any) -> float:
    transport, message = open_hub(job.address, "sender", SystemClock()), job.message
    await transport.start()
    await asyncio.to_thread(go.wait)
    began = time.process_time()

    def send(number: int) -> None:
        for _ in range(number):
            transport.publish(TOPIC, message)

    await drive(job, received, send)
    spent = time.process_time() - began
    await asyncio.sleep(0.5)
    await transport.close()
    return spent


async def _send_bare(job: Job, received: Counter, go: Any) -> float:
    make = {"zeromq": _bare_zeromq, "redis": _bare_redis, "kafka": _bare_kafka}[job.way]
    send, close = await make(job)
    await asyncio.to_thread(go.wait)
    began = time.process_time()
    await drive(job, received, send)
    spent = time.process_time() - began
    await asyncio.sleep(0.5)
    await close()
    return spent


def _encoded(job: Job) -> Callable[[], bytes]:
    encoder, message = msgspec.msgpack.Encoder(), job.message
    return lambda: encoder.encode((time.time_ns(), message))


async def _bare_zeromq(job: Job) -> Any:
    import zmq

    context = zmq.Context[zmq.Socket[bytes]]()
    socket, encode = context.socket(zmq.PUB), _encoded(job)
    head = STREAM.encode() + b"\0"
    socket.sndhwm = 0  # it would throw away what waits beyond a thousand
    socket.connect(job.address.publish)
    await asyncio.sleep(0.5)  # the readers' subscriptions are on their way

    def send(number: int) -> None:
        for _ in range(number):
            socket.send(head + encode())

    async def close() -> None:
        context.destroy()

    return send, close


async def _bare_redis(job: Job) -> Any:
    import redis

    assert job.address.sharing is not None and job.address.sharing.redis is not None
    client, encode = redis.Redis(port=job.address.sharing.redis.port), _encoded(job)

    def send(number: int) -> None:
        pipeline = client.pipeline(transaction=False)
        for _ in range(number):
            pipeline.xadd(STREAM, {b"f": encode()}, maxlen=10_000, approximate=True)
        pipeline.execute()

    async def close() -> None:
        client.close()

    return send, close


async def _bare_kafka(job: Job) -> Any:
    from aiokafka import AIOKafkaProducer

    assert job.address.sharing is not None and job.address.sharing.kafka is not None
    encode = _encoded(job)
    producer = AIOKafkaProducer(bootstrap_servers=job.address.sharing.kafka.servers, enable_idempotence=True)
    await producer.start()

    async def send(number: int) -> None:
        await asyncio.gather(*[await producer.send(STREAM, encode(), key=b"sender") for _ in range(number)])

    return send, producer.stop


def reader(job: Job, received: Counter, ready: Any, answer: Any) -> None:
    """Puts what it found into `answer`; the clocks begin with the first message."""
    waits: list[float] = []
    first: list[tuple[float, float]] = []

    def take(sent_at: int, size: int) -> None:
        if size != job.batch:
            return
        if not first:
            first.append((time.perf_counter(), time.process_time()))
        waits.append((time.time_ns() - sent_at) / 1e3)
        received.value = len(waits)

    event_loop.run((_read_bare if job.is_bare else _read_ours)(job, waits, take, ready))
    seconds, cpu = time.perf_counter() - first[0][0], time.process_time() - first[0][1]
    answer.put(Found(waits, seconds, cpu / job.count * 1e6))


async def _read_ours(job: Job, waits: list[float], take: Callable[[int, int], None], ready: Any) -> None:
    transport = open_hub(job.address, "reader", SystemClock())
    await transport.start()
    subscription = transport.subscribe([TOPIC])
    await asyncio.sleep(0.5)
    ready.release()
    async for batch in subscription:
        for delivery in batch:
            assert isinstance(delivery.message, Candles)
            take(delivery.sent_at, len(delivery.message.bars))
        if len(waits) >= job.count:
            break
    await transport.close()


async def _read_bare(job: Job, waits: list[float], take: Callable[[int, int], None], ready: Any) -> None:
    decoder = msgspec.msgpack.Decoder(Bare)

    def decode(frame: bytes) -> None:
        bare = decoder.decode(frame)
        take(bare.sent_at, len(bare.message.bars))

    read = {"zeromq": _from_zeromq, "redis": _from_redis, "kafka": _from_kafka}[job.way]
    await read(job, decode, lambda: len(waits) >= job.count, ready)


async def _from_zeromq(job: Job, decode: Callable[[bytes], None], done: Callable[[], bool], ready: Any) -> None:
    import zmq

    context = zmq.Context[zmq.Socket[bytes]]()
    socket = context.socket(zmq.SUB)
    start = len(STREAM) + 1
    socket.rcvhwm = 0
    socket.subscribe(STREAM)
    socket.connect(job.address.subscribe)
    await asyncio.sleep(0.5)
    ready.release()
    while not done():
        decode(socket.recv()[start:])
    context.destroy()


async def _from_redis(job: Job, decode: Callable[[bytes], None], done: Callable[[], bool], ready: Any) -> None:
    import redis

    assert job.address.sharing is not None and job.address.sharing.redis is not None
    with redis.Redis(port=job.address.sharing.redis.port) as client:
        last: Any = client.xadd(STREAM, {b"f": msgspec.msgpack.encode((0, Candles(Timeframe.MINUTE_1, [])))})
        ready.release()
        while not done():
            found: Any = client.xread({STREAM: last}, 500, 1_000)
            for _, entries in found:
                last = entries[-1][0]
                for _, fields in entries:
                    decode(fields[b"f"])


async def _from_kafka(job: Job, decode: Callable[[bytes], None], done: Callable[[], bool], ready: Any) -> None:
    from aiokafka import AIOKafkaConsumer

    assert job.address.sharing is not None and job.address.sharing.kafka is not None
    servers = job.address.sharing.kafka.servers
    async with AIOKafkaConsumer(STREAM, bootstrap_servers=servers, auto_offset_reset="latest") as consumer:
        await consumer.seek_to_end()
        for partition in consumer.assignment():
            await consumer.position(partition)
        ready.release()
        while not done():
            for records in (await consumer.getmany(timeout_ms=1_000, max_records=500)).values():
                for record in records:
                    decode(record.value)
