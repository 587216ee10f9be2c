"""Settings of where market data comes from, and what stands in when it stays away; docs/market-data.md."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from engine.config.section import Section

SourceKind = Literal["alpaca", "rest", "redis", "kafka"]


def _unique(kinds: list[SourceKind]) -> list[SourceKind]:
    if len(set(kinds)) != len(kinds):
        raise ValueError("each source once")
    return kinds


class MarketSection(Section):
    sources: Annotated[list[SourceKind], AfterValidator(_unique)] = Field(
        ["alpaca", "rest"],
        min_length=1,
        description="alpaca (its data streams), rest, redis or kafka; the next stands in for the one before",
    )
    topic: str = Field(
        "market-data",
        pattern=r"^[A-Za-z0-9._:-]{1,200}$",
        description="Redis stream or Kafka topic that carries Alpaca's frames, on the server of [hub.redis] or [hub.kafka]",
    )

    @model_validator(mode="after")
    def _check(self) -> MarketSection:
        if "kafka" in self.sources and ":" in self.topic:
            raise ValueError("a Kafka topic's name has no colon")
        return self
