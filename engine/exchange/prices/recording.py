"""What a folder of recorded Parquet files holds. Ticks are told from the files' names alone; bars have to be opened."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from engine.domain.errors import DataError

LAYOUT = (
    "A recording has trades/SYMBOL/DAY.parquet, quotes/SYMBOL/DAY.parquet or both; or bars_1min/SYMBOL.parquet alone."
)
TABLES = ("trades", "quotes")
BARS = "bars_1min"


def recorded_symbols(folder: Path) -> tuple[str, ...]:
    """Every symbol with trades or quotes, else every one with minute bars, in order of the alphabet. Raises DataError
    when there is none.
    """
    if not folder.is_dir():
        raise DataError(f"There is no recording in {folder}.", f"Give the folder of a recording. {LAYOUT}")
    found = {path.name for table in TABLES for path in (folder / table).glob("*") if any(path.glob("*.parquet"))}
    found = found or {path.stem for path in (folder / BARS).glob("*.parquet")}
    if not found:
        raise DataError(f"There is no recording in {folder}.", LAYOUT)
    return tuple(sorted(found))


def has_ticks(folder: Path, table: str, symbol: str, day: str) -> bool:
    return (folder / table / symbol / f"{day}.parquet").is_file()


def choose_day(folder: Path, symbols: tuple[str, ...], day: str | None) -> str:
    """`day`, or the first on which all symbols were recorded. Raises DataError naming what the recording has instead."""
    days = sorted(set.intersection(*(_days(folder, symbol) for symbol in symbols)))
    if not days:
        raise DataError("The recording has no day on which all these symbols traded.", "Choose fewer symbols.")
    chosen = day or days[0]
    if chosen not in days:
        raise DataError(f"{chosen} is not in the recording.", f"It has {', '.join(days)}.")
    try:
        date.fromisoformat(chosen)
    except ValueError as error:
        raise DataError(f"{chosen}.parquet is not named after a day.", LAYOUT) from error
    return chosen


def _days(folder: Path, symbol: str) -> set[str]:
    """The days on which the symbol has trades or quotes, else those of its minute bars."""
    days = {path.stem for table in TABLES for path in (folder / table / symbol).glob("*.parquet")}
    if not days and (folder / BARS / f"{symbol}.parquet").is_file():
        days = _bar_days(folder, symbol)
    if not days:
        raise DataError(f"{symbol} is not in the recording.", f"It has {', '.join(recorded_symbols(folder))}.")
    return days


def _bar_days(folder: Path, symbol: str) -> set[str]:
    # Imported here because it brings polars, which nothing else that reads names needs.
    import polars

    path = folder / BARS / f"{symbol}.parquet"
    try:
        times = polars.read_parquet(path, columns=["timestamp"])["timestamp"]
        local = times.dt.convert_time_zone("America/New_York")
        return {day.isoformat() for day in local.dt.date().unique()}
    except Exception as error:
        # polars has an exception of its own for each way a file can be wrong
        raise DataError(f"{path} cannot be read: {error}.", "Restore the file, or choose another recording.") from error
