"""Who may use the exchange's own routes: programs on this machine."""

from __future__ import annotations

import ipaddress

from aiohttp import web

from engine.exchange.refusals import forbidden

_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


def check_sender(request: web.Request) -> None:
    """From this machine, and not from a browser that was led here by another name. Raises Refusal."""
    if not _is_loopback(request.remote) or request.url.host not in _LOCAL_NAMES:
        raise forbidden("faults and the market are controlled from this machine only")


def check_json(request: web.Request) -> None:
    """As check_sender; and a page in a browser may not send JSON across origins. Raises Refusal."""
    check_sender(request)
    if request.content_type != "application/json":
        raise forbidden("faults and the market are controlled with application/json only")


def _is_loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False
