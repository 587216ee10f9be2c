"""What holds for every test: the slow ones begin first, and garbage is collected between tests, by one thread alone.

Widgets that a test dropped would else be destroyed by whichever thread of a later test happens to allocate, which kills
the process: see console/collector.py. A whole pass comes after each file, a short one after each test.
"""

from __future__ import annotations

import gc

import pytest

pytest_plugins = ["tests.services"]


LONG = ("faults", "e2e", "processes", "cli", "streams")
"""Folders whose files take longest. Begun last, one of them would keep a single core busy at the end."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After pytest-randomly has shuffled them; the order within a folder stays random."""
    items.sort(key=lambda item: LONG.index(folder) if (folder := item.path.parent.name) in LONG else len(LONG))


def pytest_sessionstart() -> None:
    gc.disable()


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    last_of_file = nextitem is None or nextitem.path != item.path
    gc.collect(2 if last_of_file else 1)
