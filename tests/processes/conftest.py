"""What the tests of supervision share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.processes.stage import Stage


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.supervisor.stop_all()
