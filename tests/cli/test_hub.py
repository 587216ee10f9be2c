"""`paddock hub` as a person types it, against real servers."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.cli.test_flatten import paddock
from tests.services import Kafka, Redis


def configure(folder: Path, text: str) -> tuple[str, ...]:
    (folder / "paddock.toml").write_text(text, encoding="utf-8")
    return "hub", "check", "--data", str(folder)


async def test_a_key_is_made_and_works_with_a_redis_that_answers(redis_server: Redis, tmp_path: Path) -> None:
    code, key, _ = await paddock("hub", "key")
    assert code == 0 and tomllib.loads(key)["hub"]["keys"][0]["id"]
    redis = f'[hub.redis]\nhost = "127.0.0.1"\nport = {redis_server.port}\n{key}'
    code, out, _ = await paddock(*configure(tmp_path, redis))
    assert code == 0
    assert "Redis answers; a message came back in" in out and "sealed with key" in out


async def test_kafka_is_tried_too(kafka_cluster: Kafka, tmp_path: Path) -> None:
    code, out, _ = await paddock(*configure(tmp_path, f'[hub.kafka]\nservers = "{kafka_cluster.bootstrap}"'))
    assert (code, out.startswith("Kafka answers")) == (0, True)
    assert "not sealed" in out


@pytest.mark.parametrize(
    ("options", "said", "remedy"),
    [
        ("port = 1", "Redis at 127.0.0.1:1 cannot be reached", "redis-server"),
        ("port = {port}\npassword = 'wrong'", "refuses the user or the password", "REDIS_PASSWORD"),
        ("port = {port}", "refuses the user or the password", "REDIS_PASSWORD"),
        ("port = {port}\npassword = 'right'\ntls = true", "does not answer over an encrypted connection", "speaks TLS"),
    ],
)
async def test_what_is_wrong_with_redis_is_said_with_a_remedy(
    tmp_path: Path, options: str, said: str, remedy: str
) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    server = Redis(folder, password="right")
    server.start()
    try:
        text = f'[hub.redis]\nhost = "127.0.0.1"\n{options.format(port=server.port)}'
        code, _, err = await paddock(*configure(tmp_path, text))
    finally:
        server.kill()
    assert code == 69
    assert said in err and remedy in err
    assert "right'" not in err and "wrong'" not in err


async def test_without_either_it_says_that_the_embedded_hub_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REDIS_HOST", raising=False)
    monkeypatch.delenv("KAFKA_BOOTSTRAP_SERVERS", raising=False)
    code, out, _ = await paddock(*configure(tmp_path, ""))
    assert (code, out.startswith("The embedded hub is used")) == (0, True)
