"""Bars read back from the market database as history asks for them, while the recorder writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.domain.errors import UnavailableError
from engine.domain.market import Timeframe
from engine.storage.market.address import MarketAddress
from engine.storage.market.reading import bar_reader
from engine.storage.market.rows import candle_rows
from engine.storage.market.store import open_store
from tests.services import Postgres
from tests.storage.market_rows import MINUTE, NOW, Database, bar


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
async def test_a_range_comes_oldest_first_without_its_end_and_in_its_newest_revision(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue("postgres") if kind == "postgresql" else None
    database = Database.on_server(server) if server else Database.in_file(tmp_path)
    store, reader = open_store(database.address), bar_reader(database.address)
    await store.open()
    bars = [bar(float(at), at) for at in range(10)]
    await store.write({"realtime_candles": list(candle_rows([*reversed(bars), bar(7.0, symbol="IBM")]))})
    await store.write({"realtime_candles": list(candle_rows([bar(99.0, 4, revision=1)]))})
    found = await reader.bars("SPY", Timeframe.MINUTE_1, NOW + 2 * MINUTE, NOW + 6 * MINUTE)
    assert found == [*bars[2:4], bar(99.0, 4, revision=1), bars[5]]
    assert await reader.bars("SPY", Timeframe.HOUR_1, 0, 2 * NOW) == []
    await reader.close()
    await store.close()


async def test_a_database_that_is_not_there_is_told_with_a_remedy(tmp_path: Path, postgres: Postgres) -> None:
    gone = MarketAddress(url=postgres.url().replace(str(postgres.port), "1"))
    for address in (MarketAddress(path=str(tmp_path / "none.db")), gone):
        reader = bar_reader(address)
        with pytest.raises(UnavailableError) as told:
            await reader.bars("SPY", Timeframe.MINUTE_1, 0, NOW)
        assert told.value.remedy
        await reader.close()
    assert not (tmp_path / "none.db").exists()
