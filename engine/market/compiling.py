"""Compiled functions. Import this only where it is used: numba takes one to two seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    try:
        return cast(F, numba.njit(cache=True, error_model="numpy")(function))
    except RuntimeError:
        # Neither the installation nor the user's cache folder can be written: compile at each start instead.
        return cast(F, numba.njit(error_model="numpy")(function))


def inlined(function: F) -> F:
    """Only for short functions that others call for each byte or so: it makes them take longer to compile."""
    return cast(F, numba.njit(error_model="numpy", inline="always")(function))
