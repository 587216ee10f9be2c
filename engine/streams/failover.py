"""Which way messages go when a shared transport is preferred: over it, held for a while, or over the embedded hub."""

from __future__ import annotations

from enum import Enum


class Route(Enum):
    PREFERRED = "preferred"
    HOLDING = "holding"
    """The preferred one does not answer; messages wait, because it may be back in a moment."""
    EMBEDDED = "embedded"


class Failover:
    """A state machine over time. `hold_s` bounds the wait; `settle_s` keeps a flickering server from being trusted."""

    def __init__(self, hold_s: float, settle_s: float) -> None:
        self.route = Route.HOLDING
        self._hold_s = hold_s
        self._settle_s = settle_s
        self._since: float | None = None
        """When it was found away (holding) or back (embedded)."""

    def step(self, is_up: bool, now: float) -> bool:
        """True when the route changed. `now` in monotonic seconds."""
        before = self.route
        if self.route is Route.EMBEDDED:
            self._wait_for_return(is_up, now)
        elif is_up:
            self.route, self._since = Route.PREFERRED, None
        else:
            self._hold(now)
        return self.route is not before

    def _hold(self, now: float) -> None:
        if self.route is Route.PREFERRED or self._since is None:
            self.route, self._since = Route.HOLDING, now
        if now - self._since >= self._hold_s:
            self.route, self._since = Route.EMBEDDED, None

    def _wait_for_return(self, is_up: bool, now: float) -> None:
        if not is_up:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since >= self._settle_s:
            self.route, self._since = Route.PREFERRED, None
