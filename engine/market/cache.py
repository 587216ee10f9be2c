"""What was read already: in memory with a time to live, then in Redis, which several processes share.

Counts hits and misses of each layer. `guard` lets one caller at a time look for what is in neither, so that a hundred
who want the same make one question: tasks of this process by a lock, other processes by a lock in Redis.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from engine.clock import Clock

if TYPE_CHECKING:
    import redis.asyncio

log = logging.getLogger(__name__)

V = TypeVar("V")

REDIS_PAUSE = 5.0
"""Seconds for which Redis is left alone after it failed."""
REDIS_TIMEOUT = 0.5
LOCK_LIFE = 20.0
"""Seconds after which another process stops waiting for whoever looks for the same."""


class LayerFigures(msgspec.Struct, frozen=True):
    """Of one layer since the start; `failures` are questions that it could not answer."""

    layer: str
    hits: int
    misses: int
    failures: int = 0

    @property
    def hit_rate(self) -> float:
        """0 to 1; 0 before the first question."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


class MemoryLayer(Generic[V]):
    """The newest used, until their weights add up to more than `most`."""

    name = "memory"

    def __init__(self, clock: Clock, weight: Callable[[V], int], most: int) -> None:
        self._clock = clock
        self._weigh = weight
        self._most = most
        self._kept: OrderedDict[str, tuple[float, int, V]] = OrderedDict()
        """Until when, how heavy, what."""
        self._total = 0
        self._hits = self._misses = 0

    async def get(self, keys: Sequence[str]) -> dict[str, V]:
        now, found = self._clock.monotonic(), {}
        for key in keys:
            entry = self._kept.get(key)
            if entry is not None and entry[0] > now:
                self._kept.move_to_end(key)
                found[key] = entry[2]
            elif entry is not None:
                self._drop(key)
        self._hits += len(found)
        self._misses += len(keys) - len(found)
        return found

    async def put(self, values: Mapping[str, V], life: float) -> None:
        until = self._clock.monotonic() + life
        for key, value in values.items():
            self._drop(key)
            weight = self._weigh(value)
            self._kept[key] = (until, weight, value)
            self._total += weight
        while self._total > self._most and self._kept:
            self._drop(next(iter(self._kept)))

    @property
    def figures(self) -> LayerFigures:
        return LayerFigures(self.name, self._hits, self._misses)

    def _drop(self, key: str) -> None:
        entry = self._kept.pop(key, None)
        if entry is not None:
            self._total -= entry[1]


class RedisLayer(Generic[V]):
    """A Redis that fails or is slow is passed over for a while: it makes things faster, nothing needs it."""

    name = "cache"

    def __init__(
        self, client: redis.asyncio.Redis, clock: Clock, encode: Callable[[V], bytes], decode: Callable[[bytes], V]
    ) -> None:
        """`decode` raises msgspec.DecodeError for what an older version of Paddock wrote."""
        self._client = client
        self._clock = clock
        self._encode = encode
        self._decode = decode
        self._away_until = -1.0
        self._hits = self._misses = self._failures = 0

    async def get(self, keys: Sequence[str]) -> dict[str, V]:
        if not keys or self._is_away():
            return {}
        answers = await self._ask(self._client.mget(keys))
        found: dict[str, V] = {}
        for key, answer in zip(keys, answers or (), strict=False):
            if answer is not None and (value := self._decoded(answer)) is not None:
                found[key] = value
        self._hits += len(found)
        self._misses += len(keys) - len(found)
        return found

    async def put(self, values: Mapping[str, V], life: float) -> None:
        if not values or self._is_away():
            return
        pipeline = self._client.pipeline(transaction=False)
        for key, value in values.items():
            pipeline.set(key, self._encode(value), px=max(round(life * 1_000), 1))
        await self._ask(pipeline.execute())

    @asynccontextmanager
    async def lock(self, key: str) -> AsyncIterator[None]:
        """Held by one process at a time; whoever waited LOCK_LIFE, or finds Redis away, goes on without."""
        from redis.exceptions import RedisError

        lock = self._client.lock(f"{key}:lock", timeout=LOCK_LIFE, blocking_timeout=LOCK_LIFE, sleep=0.02)
        held = False if self._is_away() else bool(await self._ask(lock.acquire(), LOCK_LIFE + REDIS_TIMEOUT))
        try:
            yield
        finally:
            if held:
                try:
                    await lock.release()
                except (RedisError, OSError) as error:
                    log.info("The lock of %s ran out by itself: %s", key, error)

    @property
    def figures(self) -> LayerFigures:
        return LayerFigures(self.name, self._hits, self._misses, self._failures)

    async def _ask(self, question: Awaitable[Any], timeout: float = REDIS_TIMEOUT) -> Any:
        from redis.exceptions import RedisError

        try:
            async with asyncio.timeout(timeout):
                return await question
        except (RedisError, OSError, TimeoutError) as error:
            self._failures += 1
            self._away_until = self._clock.monotonic() + REDIS_PAUSE
            log.warning(
                "The cache in Redis does not answer: %s.", error or type(error).__name__,
                extra={"remedy": "Prices are read from the slower stores meanwhile; it is tried again."},
            )  # fmt: skip
            return None

    def _decoded(self, content: bytes) -> V | None:
        try:
            return self._decode(content)
        except msgspec.DecodeError:
            return None

    def _is_away(self) -> bool:
        return self._clock.monotonic() < self._away_until


class LayeredCache(Generic[V]):
    """Looks in the layers in turn, the quickest first; what a slower one has, the quicker ones get."""

    def __init__(self, memory: MemoryLayer[V], shared: RedisLayer[V] | None = None) -> None:
        self._memory = memory
        self._shared = shared
        self._guards: dict[str, tuple[asyncio.Lock, int]] = {}
        """A lock, and how many hold or want it."""

    async def get(self, keys: Iterable[str], life: Callable[[str], float]) -> dict[str, tuple[V, str]]:
        """Values and the name of the layer that had them. `life` tells how long memory keeps what Redis had."""
        wanted = list(keys)
        found = {key: (value, self._memory.name) for key, value in (await self._memory.get(wanted)).items()}
        missing = [key for key in wanted if key not in found]
        if self._shared is not None and missing:
            for key, value in (await self._shared.get(missing)).items():
                found[key] = (value, self._shared.name)
                await self._memory.put({key: value}, life(key))
        return found

    async def put(self, values: Mapping[str, V], life: Callable[[str], float]) -> None:
        for key, value in values.items():
            await self._memory.put({key: value}, life(key))
            if self._shared is not None:
                await self._shared.put({key: value}, life(key))

    @asynccontextmanager
    async def guard(self, key: str) -> AsyncIterator[None]:
        """One caller at a time for each key."""
        lock, users = self._guards.get(key, (asyncio.Lock(), 0))
        self._guards[key] = (lock, users + 1)
        try:
            async with lock:
                if self._shared is None:
                    yield
                    return
                async with self._shared.lock(key):
                    yield
        finally:
            lock, users = self._guards.pop(key)
            if users > 1:
                self._guards[key] = (lock, users - 1)

    @property
    def figures(self) -> list[LayerFigures]:
        layers: list[LayerFigures] = [self._memory.figures]
        return layers if self._shared is None else [*layers, self._shared.figures]
