"""Whether the channels of a source live: told from how long nothing came, what is usual, and the market's hours."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from engine.domain.market import NANOSECONDS
from engine.market.batch import Batch

SILENCE = 15.0
"""Seconds without anything, in an open market, after which a socket is taken for dead."""
PATIENCE = 6.0
"""Times the longest usual pause: a stock that trades once a minute is not mute after fifteen seconds."""
LATE_AFTER = 10.0
"""Seconds that the tape may lie behind the venue's clock."""
QUIET_AFTER = 5.0
FADING = 0.995
"""What a message leaves of the longest pause that is taken for usual."""
MINUTES_SILENCE = 150.0
"""The same for minutes, of which one comes a minute."""
CHANNELS = ("trades", "quotes", "bars")


class ChannelState(StrEnum):
    WAITING = "waiting"
    """Nothing came yet."""
    LIVE = "live"
    QUIET = "quiet"
    """Nothing comes, and nothing has to."""
    LATE = "late"
    """What comes is old."""
    MUTE = "mute"
    """Nothing comes, although the market is open and it did before."""


class Channel:
    """Trades, quotes or minutes of one source."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = ChannelState.WAITING
        self.messages = 0
        self.at = -1.0
        """Monotonic seconds of the newest message."""
        self._silence = MINUTES_SILENCE if name == "bars" else SILENCE
        self._usual = 0.0
        self._newest = 0

    def heard(self, count: int, newest: int, now: float) -> None:
        pause = now - self.at if self.at >= 0 else 0.0
        self._usual = max(self._usual * FADING, pause)
        self.at, self.messages = now, self.messages + count
        self._newest = max(self._newest, newest)

    def began(self, now: float) -> None:
        """A new connection: its silence counts from now, and pauses while there was none are not usual ones."""
        self.at = now

    def look(self, now: float, market_open: bool, venue_time: int, others_speak: bool) -> ChannelState:
        """`venue_time` in int nanoseconds, 0 = not known. One of several that never spoke may have nothing to say."""
        silent = now - self.at
        if self.at < 0 or (not self.messages and others_speak):
            self.state = ChannelState.WAITING
        elif market_open and silent > max(self._silence, PATIENCE * self._usual):
            self.state = ChannelState.MUTE
            self._usual = max(self._usual, 2 * silent / PATIENCE)  # so that it is given longer the next time
        elif self.state is ChannelState.MUTE and market_open and silent > self._silence:
            return self.state
        elif not self.messages:
            self.state = ChannelState.WAITING
        elif now - self.at > QUIET_AFTER:
            self.state = ChannelState.QUIET
        elif venue_time and self._newest and venue_time - self._newest > LATE_AFTER * NANOSECONDS and market_open:
            self.state = ChannelState.LATE
        else:
            self.state = ChannelState.LIVE
        return self.state


class Change(msgspec.Struct, frozen=True):
    channel: str
    was: ChannelState
    now: ChannelState


class Watchdog:
    """Of one source. Minutes come once a minute, so they alone do not make a source mute."""

    def __init__(self) -> None:
        self.channels = {name: Channel(name) for name in CHANNELS}

    def heard(self, batch: Batch, now: float) -> None:
        channels = self.channels
        if batch.trades:
            channels["trades"].heard(len(batch.trades), batch.trades[-1].timestamp, now)
        if batch.quotes:
            channels["quotes"].heard(len(batch.quotes), batch.quotes[-1].timestamp, now)
        if batch.bars:
            channels["bars"].heard(len(batch.bars), 0, now)

    def began(self, now: float) -> None:
        for channel in self.channels.values():
            channel.began(now)

    def look(self, now: float, market_open: bool, venue_time: int) -> list[Change]:
        """What changed since the last look."""
        found: list[Change] = []
        speak = any(channel.messages for channel in self.channels.values())
        for channel in self.channels.values():
            was = channel.state
            if (state := channel.look(now, market_open, venue_time, speak)) is not was:
                found.append(Change(channel.name, was, state))
        return found

    @property
    def mute(self) -> list[str]:
        """The channels of prices that are mute."""
        return [name for name in ("trades", "quotes") if self.channels[name].state is ChannelState.MUTE]

    @property
    def last_at(self) -> float:
        return max(channel.at for channel in self.channels.values())

    @property
    def worst(self) -> ChannelState:
        return worst(channel.state for channel in self.channels.values() if channel.name != "bars")


def worst(states: Iterable[ChannelState]) -> ChannelState:
    """Of several; WAITING beside a channel that lives is no trouble: nobody may have traded yet."""
    order = (ChannelState.MUTE, ChannelState.LATE, ChannelState.LIVE, ChannelState.QUIET, ChannelState.WAITING)
    found = set(states)
    return next((state for state in order if state in found), ChannelState.WAITING)
