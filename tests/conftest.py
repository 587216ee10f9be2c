"""Garbage is collected between tests, by this thread alone.

Widgets that a test dropped would else be destroyed by whichever thread of a later test happens to allocate, which kills
the process: see console/collector.py. A whole pass comes after each file, a short one after each test.
"""

from __future__ import annotations

import gc

import pytest

pytest_plugins = ["tests.services"]


def pytest_sessionstart() -> None:
    gc.disable()


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    last_of_file = nextitem is None or nextitem.path != item.path
    gc.collect(2 if last_of_file else 1)
