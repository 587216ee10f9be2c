"""The cache on a real Redis: times to live, figures of each layer, one question for many who want the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import redis.asyncio

from engine.clock import ManualClock, SystemClock
from engine.market import cache as cache_module
from engine.market.cache import LayeredCache, MemoryLayer, RedisLayer
from tests.services import Redis


def memory(clock: ManualClock | SystemClock, most: int = 100) -> MemoryLayer[str]:
    return MemoryLayer(clock, len, most)


@asynccontextmanager
async def shared(server: Redis, clock: ManualClock | SystemClock) -> AsyncIterator[RedisLayer[str]]:
    client = redis.asyncio.Redis(host="127.0.0.1", port=server.port, socket_connect_timeout=1)
    try:
        yield RedisLayer(client, clock, msgspec.msgpack.encode, msgspec.msgpack.Decoder(str).decode)
    finally:
        await client.aclose()


def life(_: str) -> float:
    return 30.0


async def test_memory_forgets_after_its_time_and_the_least_used_when_it_is_full() -> None:
    clock = ManualClock()
    layer = memory(clock, most=4)
    await layer.put({"a": "xx", "b": "xx"}, 10)
    assert await layer.get(["a"]) == {"a": "xx"}
    await layer.put({"c": "x"}, 20)
    assert await layer.get(["a", "b", "c"]) == {"a": "xx", "c": "x"}
    clock.advance(10)
    assert await layer.get(["a", "c"]) == {"c": "x"}
    await layer.put({"huge": "x" * 5}, 10)
    assert await layer.get(["huge", "c"]) == {}
    assert (layer.figures.hits, layer.figures.misses) == (4, 4)
    assert layer.figures.hit_rate == 0.5


async def test_what_redis_has_comes_from_there_once_and_then_from_memory(redis_server: Redis) -> None:
    clock = SystemClock()
    async with shared(redis_server, clock) as ours, shared(redis_server, clock) as theirs:
        await LayeredCache(memory(clock), theirs).put({"a": "1", "b": "2"}, life)
        cache = LayeredCache(memory(clock), ours)
        assert await cache.get(["a", "b", "c"], life) == {"a": ("1", "cache"), "b": ("2", "cache")}
        assert await cache.get(["a"], life) == {"a": ("1", "memory")}
        first, second = cache.figures
        assert (first.layer, first.hits, first.misses) == ("memory", 1, 3)
        assert (second.layer, second.hits, second.misses, second.failures) == ("cache", 2, 1, 0)


async def test_redis_forgets_after_its_time(redis_server: Redis) -> None:
    async with shared(redis_server, SystemClock()) as layer:
        await layer.put({"a": "1"}, 0.05)
        while await layer.get(["a"]):  # noqa: ASYNC110  only Redis knows when
            await asyncio.sleep(0.01)
        assert layer.figures.misses == 1


async def test_what_another_version_wrote_is_a_miss(redis_server: Redis) -> None:
    async with shared(redis_server, SystemClock()) as layer:
        await layer._client.set("a", msgspec.msgpack.encode({"not": "text"}))
        assert await layer.get(["a"]) == {}


async def test_without_redis_everything_goes_on_and_it_is_asked_again_later(redis_server: Redis) -> None:
    clock = ManualClock()
    async with shared(redis_server, clock) as layer:
        cache = LayeredCache(memory(clock), layer)
        redis_server.kill()
        async with cache.guard("a"):
            await cache.put({"a": "1"}, life)
        assert await cache.get(["a", "b"], life) == {"a": ("1", "memory")}
        assert layer.figures.failures == 1
        redis_server.start()
        await cache.put({"b": "2"}, life)
        clock.advance(cache_module.REDIS_PAUSE)
        assert await layer.get(["b"]) == {}
        await cache.put({"b": "2"}, life)
        assert await layer.get(["b"]) == {"b": "2"}


async def test_a_hundred_who_want_the_same_look_for_it_once_across_processes(redis_server: Redis) -> None:
    clock, made = SystemClock(), 0

    async def wanted(cache: LayeredCache[str]) -> str:
        nonlocal made
        async with cache.guard("bars"):
            found = await cache.get(["bars"], life)
            if not found:
                await asyncio.sleep(0)
                made += 1
                await cache.put({"bars": "1"}, life)
            return (await cache.get(["bars"], life))["bars"][0]

    async with shared(redis_server, clock) as one, shared(redis_server, clock) as two:
        caches = [LayeredCache(memory(clock), one), LayeredCache(memory(clock), two)]
        answers = await asyncio.gather(*(wanted(caches[number % 2]) for number in range(100)))
        assert (set(answers), made) == ({"1"}, 1)
        assert all(not cache._guards for cache in caches)
