"""Configuration, error book and the lock of the data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.clock import ManualClock
from engine.config import load_settings
from engine.config.show import as_toml
from engine.domain.errors import AlreadyRunningError, ConfigurationError
from engine.domain.events import Severity
from engine.installation import Installation
from engine.observability.errors import ErrorBook
from engine.preflight import checked
from engine.tables import Table
from engine.views import ErrorRow


def test_the_command_line_beats_the_environment_beats_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "paddock.toml").write_text(
        'symbols = ["SPY"]\n[exchange]\nseed = 1\nspeed = 2.0\nport = 1111\n[risk]\nmax_open_orders = 7\n'
    )
    monkeypatch.setenv("PADDOCK_EXCHANGE__SPEED", "3")
    monkeypatch.setenv("PADDOCK_EXCHANGE__PORT", "2222")
    settings = load_settings(tmp_path, {"exchange": {"port": 3333, "seed": None}})
    assert (settings.exchange.seed, settings.exchange.speed, settings.exchange.port) == (1, 3.0, 3333)
    assert settings.symbols == ["SPY"]
    assert settings.risk.max_open_orders == 7


def test_secrets_are_never_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APCA_API_KEY_ID", "PKEXAMPLE")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "very-secret")
    settings = load_settings(tmp_path, {"environment": "paper"})
    assert settings.keys.secret.get_secret_value() == "very-secret"
    assert "very-secret" not in as_toml(settings)
    assert "very-secret" not in repr(settings)


def test_what_is_shown_can_be_loaded_again(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, {"exchange": {"seed": 9}})
    (tmp_path / "paddock.toml").write_text(as_toml(settings))
    assert load_settings(tmp_path).exchange.seed == 9


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[exchange]\nspeed = -1", "exchange.speed"),
        ("colour = 1", "colour"),
        ('[[bots]]\nname = "Bad Name"\nstrategy = "sma-cross"\nsymbols = ["SPY"]', "bots.0.name"),
        ('environment = "paper"\n[exchange]\nreplay = "/tmp"', "replay"),
        ('[[bots]]\nname = "a"\nstrategy = "moon"\nsymbols = ["SPY"]', "no strategy moon"),
        ('[[bots]]\nname = "a"\nstrategy = "sma-cross"\nsymbols = ["ZZZ"]', "does not carry"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "paddock.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        checked(load_settings(tmp_path))


def test_one_installation_one_console(tmp_path: Path) -> None:
    with Installation(tmp_path, "demo"):
        with pytest.raises(AlreadyRunningError), Installation(tmp_path, "paper"):
            pass
        assert not (tmp_path / "paper").exists()
    with Installation(tmp_path, "paper"):
        assert (tmp_path / "paper").is_dir()


def test_a_replay_forgets_the_one_before(tmp_path: Path) -> None:
    with Installation(tmp_path, "replay", fresh=True) as first:
        first.journal.write_text("old")
    with Installation(tmp_path, "replay", fresh=True) as second:
        assert not second.journal.exists()
    with Installation(tmp_path, "demo") as third:
        third.journal.write_text("kept")
    with Installation(tmp_path, "demo") as fourth:
        assert fourth.journal.read_text() == "kept"


def test_the_same_error_is_one_row_with_a_count() -> None:
    table: Table[ErrorRow] = Table()
    clock = ManualClock(1)
    book = ErrorBook(table, clock)
    first = book.record("feed", "lost 12 bars after 0x7f00 at /tmp/a/b", severity=Severity.WARNING)
    clock.advance(5)
    second = book.record("feed", "lost 3 bars after 0x7f11 at /var/x/y", remedy="Wait.")
    assert first.fingerprint == second.fingerprint
    assert (second.count, second.severity, second.remedy) == (2, Severity.ERROR, "Wait.")
    book.record("feed", "something else")
    assert len(table) == 2
    book.resolve(first.fingerprint)
    again = book.record("feed", "lost 9 bars after 0x1 at /a/b")
    assert again.state == "regressed"
    book.mute(first.fingerprint)
    assert book.record("feed", "lost 9 bars after 0x1 at /a/b").state == "muted"
