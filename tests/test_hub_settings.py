"""The hub's settings: what is chosen, from file and environment, what is refused in words, and what is never shown."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from engine.config import Settings, load_settings
from engine.config.show import as_toml
from engine.domain.errors import ConfigurationError
from engine.domain.events import Severity
from engine.orchestrator import hub
from engine.orchestrator.hub import HubNews, sharing
from engine.streams.sealing import new_key
from engine.streams.transport import WAITING, HubStatus
from engine.views import Summary

KEY = new_key()


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PADDOCK_CONFIG", raising=False)
    for name in ("REDIS_HOST", "REDIS_PORT", "REDIS_USERNAME", "REDIS_PASSWORD", "KAFKA_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(name, raising=False)


def settings(folder: Path, text: str = "") -> Settings:
    (folder / "paddock.toml").write_text(text)
    return load_settings(folder)


def test_without_a_word_the_embedded_hub_serves_alone(tmp_path: Path) -> None:
    assert sharing(settings(tmp_path), tmp_path / "demo") is None


def test_auto_takes_the_redis_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_HOST", "cache.example")
    monkeypatch.setenv("REDIS_PORT", "6380")
    monkeypatch.setenv("REDIS_PASSWORD", "hush")
    found = sharing(settings(tmp_path), tmp_path / "demo")
    assert found is not None and found.redis is not None
    assert (found.redis.host, found.redis.port, found.redis.password) == ("cache.example", 6380, "hush")


def test_auto_takes_the_kafka_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "one:9092,two:9092")
    found = sharing(settings(tmp_path), tmp_path / "demo")
    assert found is not None and found.kafka is not None
    assert found.kafka.servers == "one:9092,two:9092"


def test_embedded_stays_embedded_whatever_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_HOST", "cache.example")
    assert sharing(settings(tmp_path, '[hub]\ntransport = "embedded"'), tmp_path / "demo") is None


def test_the_file_stands_above_redis_host_and_paddock_above_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_HOST", "below")
    assert settings(tmp_path, '[hub.redis]\nhost = "file"').hub.redis.host == "file"
    monkeypatch.setenv("PADDOCK_HUB__REDIS__HOST", "above")
    assert settings(tmp_path, '[hub.redis]\nhost = "file"').hub.redis.host == "above"


def test_two_installations_and_two_environments_do_not_hear_each_other_unless_told_to(tmp_path: Path) -> None:
    alone, shared = '[hub.redis]\nhost = "h"', '[hub]\nnamespace = "desk"\n[hub.redis]\nhost = "h"'

    def namespace(text: str, folder: str) -> str:
        found = sharing(settings(tmp_path, text), tmp_path / folder)
        assert found is not None
        return found.namespace

    assert len({namespace(alone, folder) for folder in ("a/demo", "b/demo", "a/paper")}) == 3
    assert namespace(shared, "a/paper") == namespace(shared, "b/paper") == "desk-paper"
    assert namespace(shared, "a/live") == "desk-live"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[hub]\ntransport = "redis"', r"names no host"),
        ('[hub]\ntransport = "kafka"', r"names no servers"),
        ('[hub]\ntransport = "carrier pigeon"', r"hub.transport"),
        ('[hub.redis]\nhost = "user:pw@h"', r"hub.redis.host"),
        ('[hub.redis]\nport = 0', r"hub.redis.port"),
        ('[hub.kafka]\nservers = "h"', r"hub.kafka.servers"),
        ('[[hub.keys]]\nid = "a"\nkey = "abc"', r"32 bytes in base64"),
        (f'[[hub.keys]]\nid = "a"\nkey = "{KEY}"\n' * 2, r"same id"),
        (f'[[hub.keys]]\nid = "a"\nkey = "{KEY}"\nretired = 2026-01-01T00:00:00Z', r"one must be in use"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        settings(tmp_path, text)


@pytest.mark.parametrize("text", ['[hub.redis]\npassword = ["s3cret"]', '[[hub.keys]]\nid = "a"\nkey = "s3cret"'])
def test_a_secret_that_is_wrong_is_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(tmp_path, text)
    assert "s3cret" not in str(caught.value)


def test_passwords_and_keys_are_masked_when_shown(tmp_path: Path) -> None:
    text = f'[hub.redis]\nhost = "h"\npassword = "s3cret"\n[[hub.keys]]\nid = "k1"\nkey = "{KEY}"'
    shown = as_toml(settings(tmp_path, text))
    assert 'id = "k1"' in shown
    assert "s3cret" not in shown and KEY not in shown


def test_kafka_without_its_client_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "KAFKA_CLIENT", "no_such_client")
    assert importlib.util.find_spec("no_such_client") is None
    with pytest.raises(ConfigurationError, match=r"pip install 'paddock\[kafka\]'"):
        sharing(settings(tmp_path, '[hub]\ntransport = "kafka"\n[hub.kafka]\nservers = "h:1"'), tmp_path / "demo")
    assert sharing(settings(tmp_path, '[hub.kafka]\nservers = "h:1"'), tmp_path / "demo") is None


def test_the_status_bar_and_one_alert_say_that_redis_is_away_and_one_that_it_is_back() -> None:
    summary, told = Summary(), list[Any]()
    news = HubNews(summary, lambda *said: told.append(said))
    news(HubStatus("Redis", "Redis"))
    assert (summary.hub_name, summary.hub_reason, told) == ("Redis", "", [])
    news(HubStatus(WAITING, "Redis", "Redis does not answer.", "Start it."))
    assert (summary.hub_name, told) == ("waiting (Redis away)", [])
    for _ in range(2):
        news(HubStatus("ZeroMQ", "Redis", "Redis does not answer.", "Start it."))
    assert summary.hub_name == "ZeroMQ (Redis away)"
    assert [(part, remedy, severity) for part, _, remedy, severity in told] == [("hub", "Start it.", Severity.WARNING)]
    news(HubStatus("Redis", "Redis"))
    assert told[-1][1:] == ("Messages between processes go over Redis again.", "", Severity.INFO)
    assert (summary.hub_name, summary.hub_reason) == ("Redis", "")
