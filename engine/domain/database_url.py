"""The URL of a PostgreSQL database: checked where it is configured, shown to people without its password."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit, urlunsplit

from engine.domain.errors import ConfigurationError

POSTGRES_SCHEMES = ("postgresql", "postgres", "postgresql+asyncpg")
REMEDY = "Write postgresql://USER:PASSWORD@HOST:5432/DATABASE, or leave it empty for a file in the data folder."


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
