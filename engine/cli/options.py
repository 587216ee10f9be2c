"""Options that several commands share, and how a command ends: with an exit code and a sentence, never a traceback."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from engine.domain.errors import ConfigurationError, PaddockError

if TYPE_CHECKING:
    from engine.config import Settings

T = TypeVar("T")

Demo = Annotated[bool, typer.Option("--demo", help="Trade on the built-in exchange (the default).")]
Paper = Annotated[bool, typer.Option("--paper", help="Trade an Alpaca paper account; needs keys.")]
Live = Annotated[bool, typer.Option("--live", help="Trade real money; needs keys.")]
Data = Annotated[Path | None, typer.Option("--data", help="Folder for all state of this installation.")]
Replay = Annotated[Path | None, typer.Option("--replay", help="Folder of recorded market data to trade on.")]
Symbols = Annotated[str | None, typer.Option("--symbols", help="Such as SPY,IBM,BTC/USD.")]
Speed = Annotated[float | None, typer.Option("--speed", help="How many times faster a replay runs.")]
Seed = Annotated[int | None, typer.Option("--seed", help="The same seed gives the same synthetic prices.")]


def report_errors(command: Callable[..., T]) -> Callable[..., T]:
    """An error made for people is printed with its remedy and ends the process with its exit code."""

    @functools.wraps(command)
    def wrapped(*arguments: Any, **options: Any) -> T:
        try:
            return command(*arguments, **options)
        except PaddockError as error:
            tell(error)
            raise typer.Exit(error.exit_code) from None

    return wrapped


def tell(error: PaddockError) -> None:
    typer.secho(f"paddock: {error.message}", fg="red", err=True)
    if error.remedy:
        typer.echo(error.remedy, err=True)


def settings_from(
    *,
    demo: bool = False,
    paper: bool = False,
    live: bool = False,
    data: Path | None = None,
    replay: Path | None = None,
    symbols: str | None = None,
    speed: float | None = None,
    seed: int | None = None,
) -> Settings:
    """Checked settings. Raises ConfigurationError or DataError before anything is written."""
    # pydantic takes a third of a second to import; `--help` need not wait for it.
    from engine.config import load_settings
    from engine.preflight import checked

    chosen = [name for name, given in (("demo", demo), ("paper", paper), ("live", live)) if given]
    if len(chosen) > 1:
        raise ConfigurationError(f"--{' and --'.join(chosen)} exclude each other.", "Choose one.")
    overrides = {
        "environment": chosen[0] if chosen else None,
        "symbols": parse_symbols(symbols),
        "exchange": {"replay": replay, "speed": speed, "seed": seed},
    }
    return checked(load_settings(data, overrides))


def parse_symbols(text: str | None) -> list[str] | None:
    if text is None:
        return None
    return [name.strip().upper() for name in text.split(",") if name.strip()]
