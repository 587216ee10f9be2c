"""Market data from a Kafka topic: all partitions, read on from the last record seen, without a group."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from engine.domain.errors import UnavailableError
from engine.market.sources.shared import Arrival, SharedSource
from engine.streams.address import KafkaAddress
from engine.streams.kafka import stop
from engine.streams.kafka_connection import connection, explain

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer

COUNT = 500
POLL_MS = 500


class KafkaTopicSource(SharedSource):
    """See `sources.base`; what the records hold: engine/market/entries.py."""

    def __init__(self, name: str, address: KafkaAddress, topic: str, seed: int | None = None) -> None:
        super().__init__(name, seed)
        self._address = address
        self._topic = topic
        self._next: dict[Any, int] = {}
        """The offset to be read next, by partition."""

    async def _session(self) -> AsyncGenerator[Arrival, None]:
        from aiokafka.errors import KafkaError

        consumer = None
        try:
            consumer = self._make()
            async with asyncio.timeout(2 * self._address.timeout_s):
                await consumer.start()
            yield Arrival(gap=await self._find_place(consumer))
            while True:
                arrival = await self._read(consumer)
                yield arrival
                if not arrival.entries:
                    yield Arrival(gap=await self._find_place(consumer))
        except (KafkaError, OSError, TimeoutError, ValueError) as error:
            raise UnavailableError(*await explain(error, self._address)) from error
        finally:
            if consumer is not None:
                await stop(consumer, self._address.timeout_s)

    def _make(self) -> AIOKafkaConsumer:
        from aiokafka import AIOKafkaConsumer

        # The client's own words about a broker that is away come many times a second; ours come once.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        return AIOKafkaConsumer(
            self._topic,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # of a partition that is added while we read
            fetch_max_wait_ms=50,
            **connection(self._address),
        )

    async def _read(self, consumer: AIOKafkaConsumer) -> Arrival:
        found = await consumer.getmany(timeout_ms=POLL_MS, max_records=COUNT)
        gap = False
        entries: list[bytes] = []
        for partition, records in found.items():
            expected = self._next.get(partition, records[0].offset)
            gap = gap or (records[0].offset > expected and await self._is_gone(consumer, partition, expected))
            self._next[partition] = records[-1].offset + 1
            entries += [record.value or b"" for record in records]
        return Arrival(entries, full=len(entries) >= COUNT, gap=gap)

    async def _is_gone(self, consumer: AIOKafkaConsumer, partition: Any, offset: int) -> bool:
        """Compaction and transactions leave holes too, and nothing is missing in these."""
        async with asyncio.timeout(self._address.timeout_s):
            return bool((await consumer.beginning_offsets([partition]))[partition] > offset)

    async def _find_place(self, consumer: AIOKafkaConsumer) -> bool:
        """True when records are gone that were to be read next. Raises TimeoutError when no broker answers."""
        async with asyncio.timeout(self._address.timeout_s):
            partitions = consumer.assignment()
            if not partitions:
                raise UnavailableError(
                    f"Kafka at {self._address.servers} has no topic {self._topic}.",
                    "Create it, or correct [market] topic.",
                )
            begins = await consumer.beginning_offsets(partitions)
            ends = await consumer.end_offsets(partitions)
        gaps = [self._place(consumer, partition, begins[partition], ends[partition]) for partition in partitions]
        return any(gaps)

    def _place(self, consumer: AIOKafkaConsumer, partition: Any, begin: int, end: int) -> bool:
        known = self._next.setdefault(partition, end)
        gone = not begin <= known <= end
        if gone:  # trimmed, or the topic began anew: all that there is was not read yet
            self._next[partition] = begin
        consumer.seek(partition, self._next[partition])
        return gone
