"""Where the market database is: a file, or a PostgreSQL server by URL; shown to people without the password."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import SplitResult, urlsplit, urlunsplit

import msgspec

from engine.domain.errors import ConfigurationError

POSTGRES_SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")
REMEDY = "Write postgresql://USER:PASSWORD@HOST:5432/DATABASE, or leave it empty for a file in the data folder."


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


def checked_url(url: str) -> str:
    """In the form that asyncpg takes. Raises ConfigurationError; its message has no password."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise ConfigurationError("The market database's URL cannot be read.", REMEDY) from None
    if parts.scheme not in POSTGRES_SCHEMES:
        raise ConfigurationError(f"The market database's URL begins with {parts.scheme or 'nothing'}://.", REMEDY)
    if not parts.hostname or not parts.path.strip("/"):
        raise ConfigurationError(f"The URL {redacted(url)} names no host or no database.", REMEDY)
    if port == 0:
        raise ConfigurationError(f"The URL {redacted(url)} has port 0.", REMEDY)
    return urlunsplit(parts._replace(scheme="postgresql"))


def redacted(url: str) -> str:
    """Without the password and the options, which may hold one too."""
    try:
        parts = urlsplit(url)
        host = _host(parts)
    except ValueError:
        return "(unreadable)"
    user = f"{parts.username}@" if parts.username else ""
    return urlunsplit((parts.scheme, user + host, parts.path, "", ""))


def _host(parts: SplitResult) -> str:
    name = parts.hostname or ""
    name = f"[{name}]" if ":" in name else name
    return f"{name}:{parts.port}" if parts.port else name
