"""The servers that other tests lean on: they start, are killed, come back at the same address."""

from __future__ import annotations

import asyncio

from redis.asyncio import Redis as Client

from tests.services import Kafka, Postgres, Redis


async def test_redis_comes_back_with_its_keys_after_it_was_killed(redis_server: Redis) -> None:
    async with Client.from_url(redis_server.url) as client:
        await client.set("name", "value")
        redis_server.kill()
        await client.connection_pool.disconnect()
        redis_server.start()
        assert await client.get("name") == b"value"


def test_postgres_gives_every_test_a_database_and_survives_a_kill(postgres: Postgres) -> None:
    first, second = postgres.fresh_database(), postgres.fresh_database()
    postgres.query(first, "CREATE TABLE seen (number int); INSERT INTO seen VALUES (7)")
    postgres.kill()
    postgres.start()
    assert postgres.query(first, "SELECT number FROM seen") == ["7"]
    assert postgres.query(second, "SELECT to_regclass('seen') IS NULL") == ["t"]


async def test_kafka_takes_and_gives_a_record(kafka_cluster: Kafka) -> None:
    async def kcat(*arguments: str, given: bytes = b"") -> bytes:
        process = await asyncio.create_subprocess_exec(
            "kcat", "-b", kafka_cluster.bootstrap, "-t", "topic", *arguments,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        return (await asyncio.wait_for(process.communicate(given), 20))[0]

    await kcat("-P", given=b"hello\n")
    assert await kcat("-C", "-o", "beginning", "-c", "1") == b"hello\n"
