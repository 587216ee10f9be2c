"""Which sources a user can choose, and what is refused before anything starts."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from engine.config import Settings, load_settings
from engine.domain.errors import ConfigurationError
from engine.orchestrator.plan import source_choice

REDIS = '[hub.redis]\nhost = "cache"\npassword = "hush"\ntls = true'
KAFKA = '[hub.kafka]\nservers = "one:9092"\nusername = "me"\ntls = true'


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PADDOCK_CONFIG", "REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "KAFKA_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(name, raising=False)


def settings(folder: Path, text: str) -> Settings:
    (folder / "paddock.toml").write_text(text)
    return load_settings(folder)


def test_without_a_word_the_venues_streams_are_used_and_rest_stands_in(tmp_path: Path) -> None:
    assert source_choice(settings(tmp_path, "")).kinds == ("alpaca", "rest")


def test_redis_and_kafka_take_the_hubs_servers_with_their_passwords_and_encryption(tmp_path: Path) -> None:
    text = f'[market]\nsources = ["redis", "kafka", "rest"]\ntopic = "tape"\n{REDIS}\n{KAFKA}'
    found = source_choice(settings(tmp_path, text))
    assert (found.kinds, found.topic) == (("redis", "kafka", "rest"), "tape")
    assert found.redis is not None and found.kafka is not None
    assert (found.redis.host, found.redis.password, found.redis.tls) == ("cache", "hush", True)
    assert (found.kafka.servers, found.kafka.username, found.kafka.tls) == ("one:9092", "me", True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('sources = ["redis"]', "[hub.redis] names no host"),
        ('sources = ["kafka"]', "[hub.kafka] names no servers"),
        ("sources = []", "at least 1 item"),
        ('sources = ["rest", "rest"]', "each source once"),
        ('sources = ["bloomberg"]', "'alpaca', 'rest'"),
        ('topic = "two words"', "should match pattern"),
        ('sources = ["kafka"]\ntopic = "a:b"\n' + KAFKA, "has no colon"),
    ],
)
def test_what_cannot_be_is_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        settings(tmp_path, f"[market]\n{text}")
    assert words in error.value.message


def test_kafka_without_its_client_is_refused_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings(tmp_path, f'[market]\nsources = ["kafka"]\n{KAFKA}')
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError) as error:
        source_choice(chosen)
    assert "pip install 'paddock[kafka]'" in error.value.remedy
