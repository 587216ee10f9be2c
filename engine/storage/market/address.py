"""Where the market database is: a file, or a PostgreSQL server by URL; shown to people without the password."""

from __future__ import annotations

from pathlib import Path

import msgspec

from engine.domain.database_url import checked_url, redacted


class MarketAddress(msgspec.Struct, frozen=True):
    """Exactly one of the two is set. `url` holds the password: show `shown` instead."""

    path: str = ""
    url: str = ""

    @property
    def is_postgres(self) -> bool:
        return bool(self.url)

    @property
    def shown(self) -> str:
        return redacted(self.url) if self.url else self.path

    def __repr__(self) -> str:
        return f"MarketAddress({self.shown!r})"


def market_address(url: str, path: Path) -> MarketAddress:
    """The server that `url` names, or the file `path` when it is empty. Raises ConfigurationError."""
    return MarketAddress(url=checked_url(url)) if url else MarketAddress(path=str(path))
