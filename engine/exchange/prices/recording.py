"""What a folder of recorded Parquet files holds, told from its names alone."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from engine.domain.errors import DataError

LAYOUT = "A recording has trades/SYMBOL/DAY.parquet, and may have quotes/SYMBOL/DAY.parquet beside it."


def recorded_symbols(folder: Path) -> tuple[str, ...]:
    """Every symbol with trades, in order of the alphabet. Raises DataError when there is none."""
    if not folder.is_dir():
        raise DataError(f"There is no recording in {folder}.", f"Give the folder of a recording. {LAYOUT}")
    found = sorted(path.name for path in (folder / "trades").glob("*") if any(path.glob("*.parquet")))
    if not found:
        raise DataError(f"There is no recording in {folder}.", LAYOUT)
    return tuple(found)


def choose_day(folder: Path, symbols: tuple[str, ...], day: str | None) -> str:
    """`day`, or the first on which all symbols traded. Raises DataError naming what the recording has instead."""
    recorded = recorded_symbols(folder)
    unknown = [symbol for symbol in symbols if symbol not in recorded]
    if unknown:
        raise DataError(f"{', '.join(unknown)} is not in the recording.", f"It has {', '.join(recorded)}.")
    days = sorted(
        set.intersection(*({path.stem for path in (folder / "trades" / s).glob("*.parquet")} for s in symbols))
    )
    if not days:
        raise DataError("No day of the recording has trades of all these symbols.", "Choose fewer symbols.")
    chosen = day or days[0]
    if chosen not in days:
        raise DataError(f"{chosen} is not in the recording.", f"It has {', '.join(days)}.")
    try:
        date.fromisoformat(chosen)
    except ValueError as error:
        raise DataError(f"{chosen}.parquet is not named after a day.", LAYOUT) from error
    return chosen
