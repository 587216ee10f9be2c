"""Incident cards on disk: kept, bounded, readable by the next run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.domain.errors import DataError
from engine.domain.incidents import Figures, Incident, IncidentKind
from engine.storage.incidents import IncidentFile


def card(number: int) -> Incident:
    return Incident(
        key=f"{number:020d}-feed",
        timestamp=number,
        process="feed",
        kind=IncidentKind.CRASH,
        reason="killed by SIGKILL",
        state="BACKOFF",
        exit_code=-9,
        tail=("one", "two"),
        history=(Figures(-1.0, 12.5, 90_000_000, 4.0),),
    )


def test_cards_are_there_in_the_next_run_oldest_first(tmp_path: Path) -> None:
    with closing(IncidentFile(tmp_path / "incidents.db")) as file:
        for number in (3, 1, 2):
            file.keep(card(number))
    with closing(IncidentFile(tmp_path / "incidents.db")) as file:
        assert file.incidents() == [card(1), card(2), card(3)]


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path) -> None:
    with closing(IncidentFile(tmp_path / "incidents.db", capacity=3)) as file:
        for number in range(10):
            file.keep(card(number))
        assert [incident.timestamp for incident in file.incidents()] == [7, 8, 9]


def test_a_card_of_another_version_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "incidents.db"
    with closing(IncidentFile(path)) as file:
        file.keep(card(1))
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("INSERT INTO incidents VALUES ('2', 'feed', x'c0')")
    with closing(IncidentFile(path)) as file:
        assert file.incidents() == [card(1)]


def test_a_file_that_is_no_database_is_said_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "incidents.db"
    path.write_bytes(b"no database at all, but long enough to be read as one" * 30)
    with pytest.raises(DataError, match=r"incidents\.db"):
        IncidentFile(path)
