"""The desk for incident cards: shown at once, there again in the next run, in nobody's way when the disk fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from engine.clock import ManualClock
from engine.domain.incidents import Figures, Incident, IncidentKind
from engine.orchestrator.incidents import IncidentDesk
from engine.tables import Table
from engine.views import IncidentRow

CARD = Incident(
    key="1",
    timestamp=0,
    process="feed",
    kind=IncidentKind.HANG,
    reason="no sign of life for 10 s",
    state="BACKOFF",
    cause="hang: It lived but did not get on with its work.",
    restarts_left=4,
    tail=("last words",),
    history=(Figures(-1.0, 99.0, 1_000, 0.0),),
)


def desk_of(path: Path) -> tuple[IncidentDesk, Table[IncidentRow]]:
    table: Table[IncidentRow] = Table()
    return IncidentDesk(path, table, ManualClock()), table


async def test_a_card_is_shown_at_once_and_again_in_the_next_run(tmp_path: Path) -> None:
    desk, table = desk_of(tmp_path / "incidents.db")
    await desk.open()
    desk.take(CARD, "f00d")
    (shown,) = table
    assert (shown.kind, shown.ending, shown.fingerprint) == ("hang", "no sign of life for 10 s", "f00d")
    assert shown.tail == ["last words"]
    await desk.close()
    desk, table = desk_of(tmp_path / "incidents.db")
    await desk.open()
    assert list(table) == [shown]
    await desk.close()


async def test_a_damaged_file_is_set_aside_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "incidents.db"
    path.write_bytes(b"nothing that could be read as a database, at some length" * 30)
    desk, table = desk_of(path)
    await desk.open()
    desk.take(CARD, "")
    await desk.close()
    assert (tmp_path / "damaged-incidents.db").exists()
    assert "set aside" in caplog.text
    assert len(table) == 1


async def test_without_a_disk_cards_are_still_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    desk, table = desk_of(tmp_path / "missing folder" / "incidents.db")
    await desk.open()
    desk.take(CARD, "")
    await desk.close()
    assert len(table) == 1
    assert "not kept" in caplog.text


async def test_one_that_was_given_up_says_so(tmp_path: Path) -> None:
    desk, table = desk_of(tmp_path / "incidents.db")
    await desk.open()
    desk.take(replace(CARD, state="FATAL"), "")
    await desk.close()
    assert [row.kind for row in table] == ["given up"]
