"""Refuse at the door what cannot work, before a window opens, a folder is made or a byte is written."""

from __future__ import annotations

import socket
from pathlib import Path

from engine.config.load import require_keys
from engine.config.settings import Settings
from engine.domain.errors import ConfigurationError, UnavailableError
from engine.exchange.assets import PROFILES
from engine.exchange.prices.recording import choose_day, recorded_symbols
from engine.market.recording import recorded_files
from engine.strategies.catalogue import build


def checked(settings: Settings) -> Settings:
    """The settings as they will be used: in a replay without named symbols, those of the recording.

    Raises ConfigurationError, DataError or UnavailableError with the remedy.
    """
    require_keys(settings)
    settings = _with_recorded_symbols(settings)
    if settings.environment == "demo" and settings.exchange.port:
        _require_free(settings.exchange.port)
    for bot in settings.active_bots:
        build(bot.strategy, bot.parameters)
        unknown = [symbol for symbol in bot.symbols if symbol not in settings.symbols]
        if unknown:
            raise ConfigurationError(
                f"Bot {bot.name} trades {', '.join(unknown)}, which the feed does not carry.",
                "Add it to symbols, or take it from the bot.",
            )
    return settings


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UnavailableError(
                f"Port {port}, where the exchange should listen, cannot be used: {error.strerror}.",
                "Stop the program that uses it, or set port = 0 in [exchange] to take a free one.",
            ) from None


def _with_recorded_symbols(settings: Settings) -> Settings:
    folder = settings.exchange.replay
    if folder is not None:
        named = "symbols" in settings.model_fields_set
        symbols = list(settings.symbols) if named else list(recorded_symbols(folder))
        day = choose_day(folder, tuple(symbols), settings.exchange.day)
        exchange = settings.exchange.model_copy(update={"day": day, "replay": folder.absolute()})
        return settings.model_copy(update={"symbols": symbols, "exchange": exchange})
    if "parquet" in settings.market.sources and settings.market.recording is not None:
        settings = _of_recording(settings, settings.market.recording)
    if settings.environment == "demo":
        unknown = [symbol for symbol in settings.symbols if symbol not in PROFILES]
        if unknown:
            raise ConfigurationError(
                f"The built-in exchange does not know {', '.join(unknown)}.",
                f"It has {', '.join(PROFILES)}; a recording (--replay DIR) can have others.",
            )
    return settings


def _of_recording(settings: Settings, folder: Path) -> Settings:
    """Without named symbols, those of the recording that the exchange knows too."""
    recorded = {file.parent.name for file in recorded_files(folder)}
    if "symbols" in settings.model_fields_set:
        return settings
    symbols = [symbol for symbol in PROFILES if symbol in recorded]
    if not symbols:
        raise ConfigurationError(
            f"The built-in exchange knows none of the symbols in {folder}.", f"It knows {', '.join(PROFILES)}."
        )
    return settings.model_copy(update={"symbols": symbols})
