"""The exception tree of the project; each error says what to do about it and who must act.

PaddockError
├── ConfigurationError      a setting is wrong (exit code 64)
├── DataError               a file or message cannot be read (exit code 65)
├── UnavailableError        a service, port or display is missing (exit code 69)
├── AlreadyRunningError     another console owns the data folder (exit code 75)
├── CredentialsError        the venue refused the keys (exit code 77)
├── StrategyError           a strategy broke its contract; its author must act
└── OrderError              an order cannot be placed, replaced or cancelled
"""

from __future__ import annotations

from typing import ClassVar


class PaddockError(Exception):
    """An error that is safe and useful to show to a person.

    `message` says what happened, `remedy` what to do next. `exit_code` follows sysexits.h, so that a supervisor can
    tell an error that will not mend itself (64 to 78) from one that may.
    """

    exit_code: ClassVar[int] = 1
    category: ClassVar[str] = "system"

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message


class ConfigurationError(PaddockError):
    exit_code = 64
    category = "validation"


class DataError(PaddockError):
    exit_code = 65
    category = "data"


class UnavailableError(PaddockError):
    exit_code = 69
    category = "network"


class AlreadyRunningError(PaddockError):
    exit_code = 75
    category = "system"


class CredentialsError(PaddockError):
    exit_code = 77
    category = "API"


class StrategyError(PaddockError):
    category = "AI"


class OrderError(PaddockError):
    category = "trading"
