"""Real money only where real money is meant: the environment, the address and the keys must belong together."""

from __future__ import annotations

from urllib.parse import urlsplit

from engine.broker.address import LIVE, PAPER, VenueAddress

_HOSTS = {"live": urlsplit(LIVE).hostname, "paper": urlsplit(PAPER).hostname}
_PREFIX = {"live": "AK", "paper": "PK"}
"""How Alpaca's key ids begin."""


def mismatch(environment: str, address: VenueAddress) -> str:
    """In words, what does not belong together; empty when all does. `environment` is demo, paper or live."""
    host = urlsplit(address.trading_url).hostname
    if environment == "demo":
        return "" if address.is_loopback else f"The demo must trade on this machine, not at {host}."
    other = "paper" if environment == "live" else "live"
    if host != _HOSTS[environment] and (environment == "live" or host == _HOSTS[other]):
        return f"The {environment} account is at {_HOSTS[environment]}, but the address is {host}."
    if address.key.startswith(_PREFIX[other]):
        return f"The key {address.key[:4]}… is one of the {other} account, but the environment is {environment}."
    return ""
