"""Limits of single processes, and how many feed workers there are."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.config.section import Section


class ProcessSection(Section):
    """Of one process, by its name: exchange, hub, feed, recorder or a bot's. What is left out keeps its default."""

    autostart: bool | None = Field(None, description="whether it is started with the engine")
    start_seconds: float | None = Field(
        None, ge=0, description="ending by itself this soon after it was ready is a failure"
    )
    ready_timeout: float | None = Field(None, gt=0, description="seconds from its start until it must be ready")
    heartbeat_timeout: float | None = Field(
        None, ge=2, description="seconds without a sign of life until it is replaced"
    )
    progress_timeout: float | None = Field(None, gt=0, description="seconds without progress, while work is expected")
    stop_wait: float | None = Field(
        None, gt=0, le=300, description="seconds that it may take to stop; then it is killed"
    )
    memory_limit_mb: int | None = Field(None, ge=32, description="resident memory at which it is stopped and started")
    cpu_limit: float | None = Field(None, gt=0, description="per cent of one core, for a minute, that do the same")
    restart: Literal["unexpected", "always", "never"] | None = Field(
        None, description="after which ends it is started again"
    )
    restarts: int | None = Field(
        None, ge=0, le=100, description="unexpected ends within a minute before it is given up"
    )


class ScalingSection(Section):
    """How many feed workers share the symbols."""

    least: int = Field(1, ge=1, le=10, description="feed workers that always run")
    most: int | None = Field(
        None,
        ge=1,
        le=10,
        description="empty: 10 in the demo and 1 at Alpaca, which allows an account one connection to each data stream",
    )
    up_above: float = Field(
        0.8, gt=0, le=1, description="share of a core, or of a second's lag, that calls for one more"
    )
    down_below: float = Field(0.3, gt=0, lt=1, description="share that the others would have without the last one")
    cool_down_s: float = Field(30.0, ge=1, le=3600, description="seconds between two changes")
    peak_factor: float = Field(
        2.0, ge=1, le=100, description="without recorded days the peak is taken to be so many times the highest rate"
    )
