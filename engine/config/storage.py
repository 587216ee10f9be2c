"""Where market data is kept, and for how long."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, field_validator

from engine.config.section import Section
from engine.domain.errors import ConfigurationError


def _lake_url(url: str) -> str:
    scheme, found, rest = url.partition("://")
    if found and (scheme != "s3" or not re.match(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/|$)", rest)):
        raise ValueError("a folder, or s3://BUCKET/PREFIX with the bucket in small letters")
    return str(Path(url).expanduser().absolute()) if url and not found else url


class LakeSection(Section):
    """Bars of years as Parquet files: what `paddock history` writes, and history is read from before the broker is asked."""

    url: Annotated[str, AfterValidator(_lake_url)] = Field(
        "",
        description="folder, or s3://BUCKET/PREFIX; empty for a folder beside the market database",
    )
    endpoint: str = Field(
        "", pattern=r"^(https?://[^/\s]+/?)?$", description="an S3 server such as MinIO; empty for Amazon"
    )
    region: str = Field("", description="of the bucket; empty for us-east-1")
    key: str = Field("", description="access key id; empty takes Amazon's own variables and files")
    secret: SecretStr = Field(SecretStr(""), description="secret access key; better in the environment than in a file")


class MarketDatabaseSection(Section):
    """Where market data is recorded, and for how many days; 0 days keep it for ever."""

    url: SecretStr = Field(
        SecretStr(""), description="postgresql://USER:PASSWORD@HOST/DATABASE; empty for a file in the data folder"
    )
    record_raw: bool = Field(True, description="whether messages are kept as they came, beside what they say")
    raw_days: int = Field(3, ge=0, le=36_500, description="stream_messages: messages as they came")
    quote_days: int = Field(90, ge=0, le=36_500, description="normalized_data: quotes, one a second and symbol")
    candle_days: int = Field(0, ge=0, le=36_500, description="realtime_candles")
    indicator_days: int = Field(90, ge=0, le=36_500, description="technical_indicators")
    metric_days: int = Field(30, ge=0, le=36_500, description="system_metrics")
    result_days: int = Field(0, ge=0, le=36_500, description="processing_results: signals")

    @field_validator("url", mode="after")
    @classmethod
    def _check_url(cls, url: SecretStr) -> SecretStr:
        # The error must not carry the input: it may be a password in the wrong place.
        from engine.domain.database_url import checked_url

        try:
            return SecretStr(checked_url(url.get_secret_value())) if url.get_secret_value() else url
        except ConfigurationError as error:
            raise ValueError(f"{error.message} {error.remedy}") from None

    @property
    def days(self) -> dict[str, int]:
        """By table."""
        return {
            "stream_messages": self.raw_days,
            "normalized_data": self.quote_days,
            "realtime_candles": self.candle_days,
            "technical_indicators": self.indicator_days,
            "system_metrics": self.metric_days,
            "processing_results": self.result_days,
        }
