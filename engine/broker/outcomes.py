"""Tell a venue's answers apart: refused for certain, certainly not done, or nobody knows. When in doubt, nobody knows.

Taking an order that landed for one that did not is the dearest mistake there is, so only proof counts as "not sent".
"""

from __future__ import annotations

from collections.abc import Iterator
from ssl import SSLCertVerificationError
from typing import Any

from engine.broker.address import VenueAddress
from engine.broker.base import DuplicateOrderError, NotSentError, OrderRefusedError, OutcomeUnknownError
from engine.domain.errors import CredentialsError, PaddockError, UnavailableError
from engine.domain.market import NANOSECONDS

DUPLICATE = 40010001
SHORTEST_WAIT = 0.5
LONGEST_WAIT = 60.0
"""Seconds; Alpaca counts requests by the minute, so that a longer one comes of a clock that is wrong."""
_MAY_HAVE_ACTED = frozenset({408, 425})


def told_apart(error: Exception, address: VenueAddress, now: int) -> PaddockError:
    """`error` is what alpaca-py raised; `now` is int nanoseconds UTC."""
    # Both come with alpaca-py, which has been loaded by whoever got this error.
    import requests
    from alpaca.common.exceptions import APIError

    if isinstance(error, APIError):
        return _answered(error, address, now)
    if isinstance(error, requests.ConnectTimeout) or any(map(_never_connected, _causes(error))):
        return NotSentError(
            f"{address.trading_url} cannot be reached: {type(error).__name__}.",
            "Check the network and the address; the engine keeps trying.",
        )
    return OutcomeUnknownError(
        f"The venue did not answer clearly: {type(error).__name__}: {error}"[:300],
        "The engine asks the venue what became of it.",
    )


def as_unavailable(error: PaddockError) -> PaddockError:
    """For reads and cancels, which have no outcome that could cost anything: it just did not work."""
    return error if isinstance(error, CredentialsError) else UnavailableError(error.message, error.remedy)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """requests wraps urllib3's errors in their `args` and `reason`. Contexts are left out: they need not be causes."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [
            inner for inner in (*cause.args, getattr(cause, "reason", None)) if isinstance(inner, BaseException)
        ]


def _never_connected(cause: BaseException) -> bool:
    """Refused, no route, no such host, or a certificate that does not fit. Other TLS errors can come after the request."""
    from urllib3.exceptions import NewConnectionError

    return isinstance(cause, NewConnectionError | SSLCertVerificationError)


def _answered(error: Any, address: VenueAddress, now: int) -> PaddockError:
    http: int = error.status_code or 0
    code, message = _code_and_message(error)
    # A 403 with a number is about an order (buying power, for one); without it, about who asks.
    if http == 401 or (http == 403 and code == 0):
        return CredentialsError(
            f"The venue refused the API keys ({address.key[:4]}…): {message}",
            "Check that the keys belong to this account: paper and live have different ones.",
        )
    if http == 429:
        return NotSentError(
            "The venue's request limit is reached.", "It is tried again shortly.", _retry_after(error, now)
        )
    if not 400 <= http < 500 or http in _MAY_HAVE_ACTED:
        return OutcomeUnknownError(
            f"The venue failed with HTTP {http}: {message}", "The engine asks what became of it."
        )
    if code == DUPLICATE and "unique" in message:
        return DuplicateOrderError(message, code=code, http=http)
    return OrderRefusedError(message, code=code, http=http)


def _code_and_message(error: Any) -> tuple[int, str]:
    """`code` and `message` of APIError raise for what is not there, and for bodies that are not JSON."""
    return _field(error, "code", int, 0), _field(error, "message", str, str(error))[:300]


def _field(error: Any, name: str, kind: type[Any], otherwise: Any) -> Any:
    try:
        return kind(getattr(error, name))
    except (KeyError, ValueError, TypeError, AttributeError):
        return otherwise


def _retry_after(error: Any, now: int) -> float:
    """Seconds, by Retry-After, or else by the instant that X-RateLimit-Reset names."""
    headers = getattr(error.response, "headers", {})
    try:
        if "Retry-After" in headers:
            wait = float(headers["Retry-After"])
        else:
            wait = float(headers["X-RateLimit-Reset"]) - now / NANOSECONDS
    except (KeyError, ValueError):
        wait = 1.0
    return min(max(wait, SHORTEST_WAIT), LONGEST_WAIT)
