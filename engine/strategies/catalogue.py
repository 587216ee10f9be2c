"""The strategies by name, and how one is built from parameters that may come as text."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Protocol, cast

import msgspec

from engine.domain.errors import ConfigurationError
from engine.strategies.base import Strategy
from engine.strategies.buy_hold import BuyHold
from engine.strategies.rsi_reversion import RsiReversion
from engine.strategies.sma_cross import SmaCross

_STRATEGIES: tuple[Any, ...] = (SmaCross, RsiReversion, BuyHold)


class Entry(msgspec.Struct, frozen=True):
    name: str
    title: str
    description: str
    parameters: type[msgspec.Struct]


class _Builder(Protocol):
    def __call__(self, parameters: Any) -> Strategy: ...


def catalogue() -> list[Entry]:
    return [Entry(kind.name, kind.title, _first_line(kind), kind.Parameters) for kind in _STRATEGIES]


def build(name: str, parameters: Mapping[str, Any]) -> Strategy:
    """Numbers may be text. Raises ConfigurationError naming the strategy or parameter and what would do."""
    found = next((kind for kind in _STRATEGIES if kind.name == name), None)
    if found is None:
        names = ", ".join(kind.name for kind in _STRATEGIES)
        raise ConfigurationError(f"There is no strategy {name}.", f"There are {names}.")
    fields = {field.name for field in msgspec.structs.fields(found.Parameters)}
    unknown = sorted(set(parameters) - fields)
    if unknown:
        raise ConfigurationError(
            f"{name} has no parameter {', '.join(unknown)}.", f"It has {', '.join(sorted(fields))}."
        )
    try:
        converted = msgspec.convert(dict(parameters), found.Parameters, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{name}: {error}", f"It has {', '.join(sorted(fields))}.") from None
    return cast(_Builder, found)(converted)


def _first_line(kind: Any) -> str:
    module = sys.modules[kind.__module__]
    return (module.__doc__ or "").strip().splitlines()[0]
