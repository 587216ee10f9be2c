"""Settings of where market data comes from, and what stands in when it stays away; docs/market-data.md."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from engine.config.section import Section

SourceKind = Literal["alpaca", "rest", "redis", "kafka", "parquet"]


def _unique(kinds: list[SourceKind]) -> list[SourceKind]:
    if len(set(kinds)) != len(kinds):
        raise ValueError("each source once")
    return kinds


class MarketSection(Section):
    sources: Annotated[list[SourceKind], AfterValidator(_unique)] = Field(
        ["alpaca", "rest"],
        min_length=1,
        description="alpaca (its data streams), rest, redis, kafka or parquet; the next stands in for the one before",
    )
    topic: str = Field(
        "market-data",
        pattern=r"^[A-Za-z0-9._:-]{1,200}$",
        description="Redis stream or Kafka topic that carries Alpaca's frames, on the server of [hub.redis] or [hub.kafka]",
    )
    recording: Path | None = Field(None, description="folder with trades/SYMBOL/DAY.parquet, for parquet")
    speed: float = Field(1.0, ge=0, le=100_000, description="how much faster than its own time a recording is played")

    @model_validator(mode="after")
    def _check(self) -> MarketSection:
        if "parquet" in self.sources and (len(self.sources) > 1 or self.recording is None):
            raise ValueError("parquet plays recording, a folder, and no other source stands in for the past")
        if "kafka" in self.sources and ":" in self.topic:
            raise ValueError("a Kafka topic's name has no colon")
        return self
