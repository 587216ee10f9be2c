"""The built-in exchange."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

from engine.config.section import Section


class ExchangeSection(Section):
    """The built-in exchange, used in the demo."""

    port: int = Field(0, ge=0, le=65535, description="0 takes a free port")
    seed: int = Field(1, ge=0, description="the same seed gives the same prices")
    speed: float = Field(1.0, gt=0, le=1000, description="how much faster than real time a replay runs")
    replay: Path | None = Field(None, description="folder with recorded Parquet data; empty for synthetic prices")
    keys: dict[str, SecretStr] = Field(
        default_factory=dict, description="key id = secret that `paddock exchange` takes; empty for any pair"
    )
    day: str | None = Field(None, pattern=r"^\d{4}-\d{2}-\d{2}$", description="day of the recording, YYYY-MM-DD")
