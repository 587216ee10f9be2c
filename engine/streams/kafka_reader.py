"""Reads from Kafka: everything from the moment of subscribing, or one's share of a group's, committed after processing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.clock import SystemClock
from engine.domain.errors import ConfigurationError
from engine.streams.address import KafkaAddress
from engine.streams.base import HasRoom, Take, Token
from engine.streams.kafka import RETRY_EVERY, LoopThread, stop
from engine.streams.kafka_connection import connection
from engine.streams.packing import complete, stream_of, unpack

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

log = logging.getLogger(__name__)

POLL_MS = 200
MOST_RECORDS = 500
REBALANCE_S = 5.0
"""Brokers wait for more readers before they deal out a group's shares: 3 s by default."""


class KafkaReader:
    """See `streams.base.Receiver`."""

    def __init__(
        self,
        thread: LoopThread,
        address: KafkaAddress,
        prefix: str,
        topics: Sequence[str],
        group: str | None,
        take: Take,
        has_room: HasRoom,
    ) -> None:
        self._thread = thread
        self._address = address
        self._names = list(dict.fromkeys(prefix + stream_of(complete(topic)) for topic in topics))
        self._topic = topics[0]
        self._group = group
        self._take = take
        self._has_room = has_room
        self._clock = SystemClock()
        self._began = self._clock.now()
        self._next: dict[Any, int] = {}
        """Offset from which to read on, by partition, after the consumer was made anew."""
        self._consumer: AIOKafkaConsumer | None = None
        self._reading: asyncio.Task[None] | None = None
        asyncio.run_coroutine_threadsafe(self._begin(), thread.loop)

    async def ack(self, tokens: Sequence[Token]) -> None:
        """Not committed while Kafka is away, or when the partition was given to another: then it comes again."""
        offsets: dict[Any, int] = {}
        for partition, offset in tokens:
            offsets[partition] = max(offset + 1, offsets.get(partition, 0))
        await self._thread.do(self._commit(offsets))

    async def close(self) -> None:
        await self._thread.do(self._end())

    async def _begin(self) -> None:
        self._reading = asyncio.create_task(self._run())

    async def _end(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _commit(self, offsets: dict[Any, int]) -> None:
        from aiokafka.errors import KafkaError

        try:
            if self._consumer is not None:
                await asyncio.wait_for(self._consumer.commit(offsets), self._address.timeout_s)
        except (KafkaError, TimeoutError, ValueError) as error:
            log.debug("committing to Kafka: %s", error)

    async def _run(self) -> None:
        from aiokafka.errors import KafkaError

        while True:
            consumer = None
            try:
                consumer = self._make()
                async with asyncio.timeout(self._patience * 2):
                    await consumer.start()
                await self._place(consumer)
                self._consumer = consumer
                await self._read(consumer)
            except (KafkaError, OSError, TimeoutError, ValueError) as error:
                log.debug("reading from Kafka: %s", error)  # the writer tells of it
                await asyncio.sleep(RETRY_EVERY)
            finally:
                self._consumer = None
                if consumer is not None:
                    await stop(consumer, self._address.timeout_s)

    @property
    def _patience(self) -> float:
        """Seconds for an answer. A group's coordinator answers when all readers have joined or are taken for dead."""
        return self._address.timeout_s + (0.0 if self._group is None else REBALANCE_S + self._address.session_s)

    def _make(self) -> AIOKafkaConsumer:
        from aiokafka import AIOKafkaConsumer

        if self._group is not None and any(name.endswith("quotes") for name in self._names):
            raise ConfigurationError("Latest values go to every reader; a group cannot share them.")
        return AIOKafkaConsumer(
            *self._names,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="latest" if self._group is None else "earliest",
            session_timeout_ms=round(self._address.session_s * 1e3),
            heartbeat_interval_ms=round(self._address.session_s * 1e3 / 5),
            rebalance_timeout_ms=round(self._address.session_s * 1e3),
            fetch_max_wait_ms=50,
            **{**connection(self._address), "request_timeout_ms": round(self._patience * 1e3)},
        )

    async def _place(self, consumer: AIOKafkaConsumer) -> None:
        """Before the first record is read, so that nothing that is sent from now on is missed."""
        if self._group is not None:
            return
        async with asyncio.timeout(self._address.timeout_s):
            partitions = consumer.assignment()
            ends = await consumer.end_offsets(partitions)
            for partition in partitions:
                consumer.seek(partition, min(self._next.setdefault(partition, ends[partition]), ends[partition]))

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            if not self._has_room() and self._group is not None:
                await asyncio.sleep(0.01)
                continue
            found = await consumer.getmany(timeout_ms=POLL_MS, max_records=MOST_RECORDS)
            for partition, records in found.items():
                self._next[partition] = records[-1].offset + 1
                for record in records:
                    token = None if self._group is None else (partition, record.offset)
                    self._take(unpack(record.value or b"", self._topic), token, self)
