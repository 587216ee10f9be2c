"""The thresholds by which feeds are added and taken away, as SCALING_THRESHOLDS and the settings name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import load_settings
from engine.domain.errors import ConfigurationError
from engine.orchestrator.plan import scaling_limits


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PADDOCK_CONFIG", raising=False)


@pytest.mark.parametrize("said", ["70,20", "70%, 20%", "0.7,0.2"])
def test_the_variable_names_both_shares(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALING_THRESHOLDS", said)
    limits = scaling_limits(load_settings(tmp_path))
    assert (limits.up_above, limits.down_below) == (0.7, 0.2)


def test_the_file_stands_above_the_variable_and_paddock_above_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCALING_THRESHOLDS", "70,20")
    (tmp_path / "paddock.toml").write_text("[scaling]\nup_above = 0.9\n")
    assert load_settings(tmp_path).scaling.up_above == 0.9
    monkeypatch.setenv("PADDOCK_SCALING__UP_ABOVE", "0.95")
    scaling = load_settings(tmp_path).scaling
    assert (scaling.up_above, scaling.down_below) == (0.95, 0.2)


@pytest.mark.parametrize("said", ["80", "30,80", "high,low", "80,30,10", "80,0", "180,30"])
def test_what_cannot_be_meant_is_refused_in_words(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALING_THRESHOLDS", said)
    with pytest.raises(ConfigurationError, match="SCALING_THRESHOLDS") as refused:
        load_settings(tmp_path)
    assert "80,30" in refused.value.remedy
