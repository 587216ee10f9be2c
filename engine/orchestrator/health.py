"""The health of each part in one word and one line, for the Overview and the status bar."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from engine.bus import BusFigures
from engine.domain.shown_times import clock
from engine.orchestrator.components import Component, ComponentState
from engine.orchestrator.market import MarketMemory
from engine.streams.messages import FeedStatus, RecorderStatus
from engine.tables import Table
from engine.views import BotRow, HealthRow, ProcessRow, Summary

QUIET = 3.0
"""Seconds without market data that are normal; at `SILENT` something is wrong."""
SILENT = 10.0

BEHIND = 5.0
"""Seconds from a row's arrival to its commit; one is normal."""

CROWDED = 1_000
"""Events that wait on the bus: some milliseconds of work."""

_STATE = {"RUNNING": "good", "STARTING": "warning", "BACKOFF": "bad", "FATAL": "bad", "UNRESPONSIVE": "bad"}


def feed_state(market: MarketMemory, is_open: bool | None) -> tuple[str, str]:
    """A feed that is silent in an open market is bad, even while its socket looks well."""
    age, feeds = market.age, list(market.feeds.values())
    if age < 0:
        return "unknown", "no market data yet"
    if lost := [feed for feed in feeds if not feed.connected and feed.symbols]:
        return "bad", lost[0].error or "disconnected"
    if is_open and age > SILENT:
        return "bad", f"silent for {age:.0f} s"
    if is_open and age > QUIET:
        return "warning", f"quiet for {age:.0f} s"
    if standing := [feed.fallback for feed in feeds if feed.fallback]:
        return "warning", f"{standing[0]} stands in for the stream"
    if missing := sorted({symbol for feed in feeds for symbol in feed.not_sent}):
        return "warning", f"the venue does not stream {', '.join(missing)}"
    if is_open and any("late" in feed.channels.values() for feed in feeds):
        return "warning", "prices come late: the tape lies behind the venue's clock"
    rate, symbols = sum(feed.message_rate for feed in feeds), sum(len(feed.symbols) for feed in feeds)
    shed = sum(count for feed in feeds for count in feed.shed.values())
    left_out = f", {shed:,} left out under load" if shed else ""
    workers = f" in {len(feeds)} feeds" if len(feeds) > 1 else ""
    return "good", f"{rate:.0f} messages/s, {symbols} symbols{workers}{left_out}"


def write_health(
    table: Table[HealthRow], processes: Iterable[ProcessRow], summary: Summary, feed: str, journal: str, now: int
) -> None:
    """`feed` and `journal` are their details."""
    _put(table, "feed", summary.feed_state, feed, now)
    latency = "" if summary.broker_latency_ms < 0 else f"answered in {summary.broker_latency_ms:.0f} ms"
    _put(table, "broker", summary.broker_state, latency or "not asked yet", now)
    _put(table, "hub", summary.hub_state, f"{summary.hub_name}: {summary.hub_reason}".removesuffix(": "), now)
    _put(table, "journal", "good" if not journal else "bad", journal or "durable", now)
    rows = list(processes)
    running = sum(row.state == "RUNNING" for row in rows)
    worst = max((_STATE.get(row.state, "unknown") for row in rows), key=_RANK.__getitem__, default="unknown")
    ailing = ", ".join(row.name for row in rows if _STATE.get(row.state) == "bad")
    text = f"{running} of {len(rows)} run" + (f"; {ailing} not" if ailing else "")
    _put(table, "processes", "warning" if worst == "unknown" else worst, text, now)


def write_components(table: Table[HealthRow], components: Iterable[Component], now: int) -> None:
    """The engine's own parts that it cannot trade without; child processes are told of together."""
    for component in components:
        if component.critical and not component.is_process:
            _put(table, component.name, _COMPONENT[component.state], _described(component), now)


def write_bus(table: Table[HealthRow], figures: BusFigures, now: int) -> None:
    """A warning when something was shed or could not be delivered, and while many events wait."""
    waiting = sum(figures.depth)
    state = "warning" if waiting > CROWDED or figures.shed or figures.dead else "good"
    detail = f"{figures.rate:.0f}/s, p99 {figures.p99 * 1e3:.1f} ms, {waiting:,} waiting"
    if figures.shed or figures.dead:
        detail += f", {figures.shed:,} shed, {figures.dead:,} undelivered"
    if figures.slowest and figures.slowest[0].slow:
        slow = figures.slowest[0]
        detail += f"; slowest: {slow.name}, {slow.longest * 1e3:.0f} ms"
    _put(table, "event bus", state, detail, now)


def write_recorder(table: Table[HealthRow], status: RecorderStatus | None, now: int) -> None:
    """A warning once anything was lost or refused, or rows wait longer than `BEHIND`; bad while the database is away."""
    if status is None:
        return
    state = "warning" if status.dropped or status.refused or status.lag > BEHIND else "good"
    detail = f"{status.row_rate:,.0f} rows/s, {status.lag:.1f} s behind, {status.size_bytes / 1e6:,.0f} MB"
    if status.dropped or status.refused:
        detail += f", {status.dropped:,} lost, {status.refused:,} refused"
    if status.error:
        state, detail = "bad", f"{status.error} {status.waiting:,} rows wait, {status.dropped:,} lost"
    _put(table, "market database", state, detail, now)


def write_history(table: Table[HealthRow], status: FeedStatus | None, now: int) -> None:
    """How many looks each layer of the history's cache spared the slower ones, and how far the indicators are."""
    if status is None or not status.warm[1]:
        return
    warm, series = status.warm
    found = [f"{name} had {hits / asked:.0%} of {asked:,}" for name, (hits, asked) in status.history.items() if asked]
    detail = f"{warm} of {series} indicator series warm" + "".join(f"; {part}" for part in found)
    _put(table, "history", "good", detail, now)


def write_backup(
    table: Table[HealthRow], newest: Path | None, age: float, failure: str, longest: float, now: int
) -> None:
    """A warning while none can be made, bad when the last one is older than `longest`. Times in seconds."""
    state = "bad" if newest is not None and age > longest else "warning" if failure else "good"
    last = "none yet" if newest is None else f"{_long(age)} old: {newest}"
    _put(table, "backup", state, f"{failure} The last one is {last}" if failure else last, now)


def _long(seconds: float) -> str:
    if seconds < 3_600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 48 * 3_600 else f"{seconds / 86_400:.0f} days"


def write_gaps(table: Table[HealthRow], market: MarketMemory, now: int) -> None:
    """What the streams missed and was read afterwards; the newest of them by symbol."""
    gaps = market.gaps
    if gaps.count:
        detail = f"{gaps.count:,} filled, {gaps.trades:,} missed trades read afterwards"
        _put(table, "gaps", "good", detail, now, "\n".join(gaps.lines()))


def write_revisions(table: Table[HealthRow], market: MarketMemory, bots: Iterable[BotRow], now: int) -> None:
    """How often bars were corrected after their close, and how many signals that would have changed."""
    bar = market.last_revised
    if bar is None:
        return
    signals = sum(bot.revised for bot in bots)
    last = f"last {bar.symbol} {bar.timeframe} of {clock(bar.timestamp)}, revision {bar.revision}"
    detail = f"bars corrected: {market.revised:,}; signals that would change: {signals:,}; {last}"
    _put(table, "bar revisions", "good", detail, now)


def _described(component: Component) -> str:
    text = f"{component.state.value.lower()} since {clock(component.since)}"
    if component.recoveries:
        text += f", recovered {component.recoveries}×"
    return f"{text}: {component.reason}" if component.reason else text


def hub_state(process: ProcessRow | None, reason: str) -> str:
    """`reason`: why messages do not go the way they should."""
    state = state_of(process)
    return "warning" if state == "good" and reason else state


def state_of(row: ProcessRow | None) -> str:
    return "unknown" if row is None else _STATE.get(row.state, "unknown")


_COMPONENT = {
    ComponentState.WAITING: "warning",
    ComponentState.RUNNING: "good",
    ComponentState.RECOVERING: "warning",
    ComponentState.FAILED: "bad",
    ComponentState.STOPPED: "unknown",
}
_RANK = {"good": 0, "unknown": 1, "warning": 2, "bad": 3}


def _put(table: Table[HealthRow], part: str, state: str, detail: str, now: int, more: str = "") -> None:
    table.put(part, HealthRow(part=part, state=state, detail=detail, updated_at=now, more=more))
