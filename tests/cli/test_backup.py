"""`paddock backup`: what a person types and reads, from the first backup to the restored folder."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli.app import app
from engine.installation import Installation
from tests.services import free_port
from tests.storage.test_journal import order, write


def run(*arguments: str | Path) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["backup", *map(str, arguments)])
    assert found.exception is None or isinstance(found.exception, SystemExit)
    return found.exit_code, " ".join(found.output.split())


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nobody"))
    with Installation(tmp_path / "data", "demo") as here:
        asyncio.run(write(here.journal, order(1), order(2)))
    return tmp_path / "data"


def test_a_backup_is_made_proved_and_put_back(data: Path, tmp_path: Path) -> None:
    code, said = run("create", "--data", data, "--no-market")
    assert (code, "journal of 2 rows" in said, "Not in it: market database" in said) == (0, True, True)
    (path,) = (data / "backups").iterdir()
    code, said = run("verify", path)
    assert (code, "DAMAGED" in said, f"{path}: whole" in said) == (0, False, True)
    code, said = run("restore", path, "--data", tmp_path / "new")
    assert (code, "restored and proved" in said) == (0, True)
    code, said = run("restore", path, "--data", tmp_path / "new")
    assert (code, "--force" in said) == (65, True)
    code, said = run("restore", path, "--data", tmp_path / "new", "--force")
    assert (code, "What was there is now" in said) == (0, True)


def test_damage_is_named_with_its_file_and_a_remedy(data: Path, tmp_path: Path) -> None:
    run("create", "--data", data, "--to", tmp_path)
    (path,) = tmp_path.glob("paddock-demo-*")
    (path / "settings.toml").write_text("other")
    code, said = run("verify", path)
    assert (code, "DAMAGED" in said, "settings.toml has 5 bytes" in said, "Use another backup" in said) == (
        65, True, True, True,
    )  # fmt: skip


def test_orders_are_saved_also_while_the_market_database_is_away_and_what_is_missing_is_said(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PADDOCK_MARKET_DATABASE__URL", f"postgresql://me:hidden@127.0.0.1:{free_port()}/market")
    (data / "paddock.toml").write_text("[broken")
    code, said = run("create", "--data", data)
    assert code == 64, "a configuration that cannot be read is told first"
    (data / "paddock.toml").unlink()
    code, said = run("create", "--data", data)
    assert (code, "without the market database" in said, "hidden" in said) == (69, True, False)
    (path,) = (data / "backups").iterdir()
    assert (run("verify", path)[0], (path / "orders.db").is_file()) == (0, True)


def test_a_running_engine_keeps_its_folder(data: Path) -> None:
    run("create", "--data", data)
    (path,) = (data / "backups").iterdir()
    with Installation(data, "demo"):
        code, said = run("restore", path, "--data", data, "--force")
    assert (code, "Another Paddock" in said) == (75, True)


def test_an_account_without_a_journal_and_a_folder_that_is_none_are_told(data: Path, tmp_path: Path) -> None:
    code, said = run("create", "--data", data, "--paper")
    assert (code, "nothing to back up" in said) == (65, True)
    assert "does not exist" in run("verify", tmp_path / "absent")[1]
