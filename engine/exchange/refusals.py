"""The venue's refusals: an HTTP status, Alpaca's code and a message, as its REST answers carry them."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818
    """A request that the venue declines. `extra` goes into the answer beside code and message."""

    def __init__(self, status: int, code: int, message: str, **extra: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.extra = extra

    @property
    def body(self) -> dict[str, object]:
        return {"code": self.code, "message": self.message, **self.extra}


def malformed(message: str) -> Refusal:
    return Refusal(400, 40010000, message)


def unauthorized() -> Refusal:
    return Refusal(401, 40110000, "request is not authorized")


def invalid(message: str) -> Refusal:
    """A value that is missing or is not what the field takes."""
    return Refusal(422, 40010001, message)


def unprocessable(message: str) -> Refusal:
    """A request that is well formed and against the venue's rules."""
    return Refusal(422, 42210000, message)


def forbidden(message: str, **extra: str) -> Refusal:
    return Refusal(403, 40310000, message, **extra)


def not_found(message: str) -> Refusal:
    return Refusal(404, 40410000, message)
