"""The faults of the local exchange as the engine sets them, and what is armed for the window to show."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections.abc import Callable

import msgspec

from engine.control import ExchangeFault
from engine.domain.errors import PaddockError, UnavailableError
from engine.views import Summary

EVERY = 2.0
"""Seconds between two looks at what is armed: somebody else may arm faults too."""
TIMEOUT = 5.0
PATH = "/paddock/faults"


class Armed(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    left: int | None = None


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    armed: list[Armed]
    hanging: int = 0


class ExchangeFaults:
    """`url` gives the address of the exchange, which may change when it is started again."""

    def __init__(self, url: Callable[[], str], summary: Summary) -> None:
        self._url = url
        self._summary = summary
        # No proxy of the environment: the exchange is on this machine.
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    async def set(self, fault: ExchangeFault) -> None:
        """Raises PaddockError when the exchange refuses it or does not answer."""
        await asyncio.to_thread(self._ask, msgspec.json.encode(fault))
        if fault.kind != "restart":
            await self._look()

    async def run(self) -> None:
        """Keep the summary up to date until cancelled."""
        while True:
            try:
                await self._look()
            except PaddockError:
                # Whether the exchange answers is told by the broker's health, with its reason.
                self._summary.armed_faults = ()
            await asyncio.sleep(EVERY)

    async def _look(self) -> None:
        found = msgspec.json.decode(await asyncio.to_thread(self._ask, None), type=Listing)
        lines = [_words(armed) for armed in found.armed]
        if found.hanging:
            lines.append(f"requests that hang: {found.hanging}")
        self._summary.armed_faults = tuple(lines)

    def _ask(self, body: bytes | None) -> bytes:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._url() + PATH, data=body, headers=headers)
        try:
            with self._open(request, timeout=TIMEOUT) as answer:
                said: bytes = answer.read()
                return said
        except urllib.error.HTTPError as error:
            raise PaddockError(
                f"The exchange refused the fault: {error.read().decode(errors='replace')}", "Correct its values."
            ) from error
        except OSError as error:
            raise UnavailableError(
                f"The local exchange does not answer: {error}.", "See its state on the Processes tab."
            ) from error


def _words(armed: Armed) -> str:
    name = armed.kind.replace("_", " ")
    return f"{name} until cleared" if armed.left is None else f"{name}, {armed.left} to go"
