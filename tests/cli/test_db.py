"""`paddock db` and the setting of the market database: what a person types, reads, and never sees."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from engine.config import load_settings
from engine.config.show import as_toml
from engine.domain.database_url import checked_url, redacted
from engine.domain.errors import ConfigurationError
from engine.installation import Installation
from tests.services import Postgres
from tests.storage.test_market_migrations import old_file


def run(*arguments: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["db", *arguments])
    return found.exit_code, " ".join(found.output.split())


def test_an_old_file_is_looked_at_upgraded_saved_and_put_back(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path))
    path = tmp_path / "demo" / "market.db"
    assert "not there yet" in run("status", *data)[1]
    assert not path.exists()
    path.parent.mkdir()
    old_file(path)
    assert "form without a number" in run("status", *data)[1]
    assert run("upgrade", *data) == (0, f"{path}: form 0002")
    assert "realtime_candles 1,000 rows" in run("status", *data)[1]
    saved = str(tmp_path / "saved.db")
    assert "SHA-256" in run("backup", saved, *data)[1]
    assert "3,000 rows" in run("verify", saved, *data)[1]
    assert "3,000 rows" in run("verify", *data)[1]
    path.unlink()
    assert run("restore", saved, *data)[0] == 0
    reader = sqlite3.connect(path)
    assert reader.execute("SELECT count(*) FROM realtime_candles").fetchone() == (1_000,)
    reader.close()


def test_nothing_is_restored_under_a_running_console(tmp_path: Path) -> None:
    with Installation(tmp_path, "demo"):
        code, said = run("restore", str(tmp_path / "saved.db"), "--data", str(tmp_path))
    assert (code, "Another Paddock" in said) == (75, True)


def test_a_database_on_postgres_is_looked_after_the_same_way(
    postgres: Postgres, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PADDOCK_MARKET_DATABASE__URL", postgres_url)
    data = ("--data", str(tmp_path))
    assert "form without a number" in run("status", *data)[1]
    assert "form 0002" in run("upgrade", *data)[1]
    code, said = run("status", *data)
    assert (code, "PostgreSQL, form 0002 (the newest)" in said, postgres.PASSWORD in said) == (0, True, False)


@pytest.mark.parametrize(
    "url",
    ["mysql://u:hidden@h/d", "postgresql://u:hidden@h", "postgresql://u:hidden@h:nine/d", "hidden", "//:hidden@["],
)
def test_a_url_that_cannot_be_used_is_refused_at_the_start_without_showing_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PADDOCK_MARKET_DATABASE__URL", url)
    with pytest.raises(ConfigurationError) as told:
        load_settings(tmp_path)
    assert "hidden" not in str(told.value)
    assert "postgresql://USER" in str(told.value)


def test_the_password_is_masked_wherever_the_address_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgres://me:hidden@[::1]:5433/market?password=hidden"
    monkeypatch.setenv("PADDOCK_MARKET_DATABASE__URL", url)
    settings = load_settings(tmp_path)
    assert "hidden" not in as_toml(settings) + repr(settings)
    assert redacted(checked_url(url)) == "postgresql://me@[::1]:5433/market"
