"""The exchange's own routes for its market: pause, speed and seek a replay, halt a symbol. For this machine only."""

from __future__ import annotations

from datetime import time
from typing import TypeVar

import msgspec
from aiohttp import web

from engine.domain.errors import DataError
from engine.exchange.prices.replay import ReplayPrices, clock_time
from engine.exchange.refusals import invalid, unprocessable
from engine.exchange.server.floor import Floor
from engine.exchange.server.http import reply
from engine.exchange.server.local import check_json
from engine.exchange.server.options import MAX_SPEED
from engine.exchange.wire import rfc3339

MAX_HALT = 86_400
Body = TypeVar("Body")


class Control(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    seek: str | None = None
    """New York time of the recording, such as 10:15."""
    speed: float | None = None
    pause: bool | None = None


class HaltOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    symbol: str
    seconds: float = 300.0


def play_again(floor: Floor) -> None:
    """Where the recording has ended and is to loop, begin it again and go on at the time at which its doors open."""
    source = floor.venue.source
    if floor.options.loop and isinstance(source, ReplayPrices) and source.has_ended(floor.venue.now):
        source.begin_again(floor.venue.now)
        floor.clock.jump(source.doors_open())


class MarketControl:
    """Pausing stops venue time: orders are taken and wait. Seeking forward runs through all that lies between.

    Seeking backward would let clients see time run backward, so it ends the day instead, and plays the recording again
    on the next weekday, at once up to the time that is sought. To orders it is what it says: those for the day expire
    with the day that ends; those good till canceled stand through the night and the morning, and may fill there.
    """

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/paddock/replay", self.show, allow_head=False),
            web.post("/paddock/replay", self.control),
            web.post("/paddock/halt", self.halt),
        ]

    async def show(self, request: web.Request) -> web.Response:
        floor = self._floor
        source, clock = floor.venue.source, floor.clock
        state = {
            "now": rfc3339(floor.venue.now),
            "target": rfc3339(clock.now()),
            "speed": clock.speed,
            "paused": clock.is_paused,
            "recording": None,
        }
        if isinstance(source, ReplayPrices):
            state["recording"] = {
                "day": source.day,
                "start": rfc3339(source.at(time())),
                "end": rfc3339(source.end or 0),
                "rounds": source.rounds,
                "loop": floor.options.loop,
            }
        return reply(state)

    async def control(self, request: web.Request) -> web.Response:
        wanted = await _read(request, Control)
        clock = self._floor.clock
        if wanted.speed is not None and not 0 < wanted.speed <= MAX_SPEED:
            raise invalid(f"speed must be above 0 and at most {MAX_SPEED}")
        if wanted.seek is not None:
            self._seek(wanted.seek)
        if wanted.speed is not None:
            clock.set_speed(wanted.speed)
        if wanted.pause is not None:
            clock.pause(wanted.pause)
        return await self.show(request)

    async def halt(self, request: web.Request) -> web.Response:
        """Nothing is printed for so many seconds of venue time, and the last quote stands."""
        wanted = await _read(request, HaltOrder)
        if not 0 < wanted.seconds <= MAX_HALT:
            raise invalid(f"seconds must be above 0 and at most {MAX_HALT}")
        self._floor.venue.halt(wanted.symbol, wanted.seconds)
        return reply(msgspec.to_builtins(wanted))

    def _seek(self, text: str) -> None:
        source, clock = self._floor.venue.source, self._floor.clock
        if not isinstance(source, ReplayPrices):
            raise unprocessable("only a recording can be sought in")
        try:
            wanted = clock_time(text)
        except DataError as error:
            raise invalid("seek must be a time such as 10:15") from error
        if source.at(wanted) < clock.now():
            source.begin_again(clock.now())
        clock.jump(source.at(wanted))


async def _read(request: web.Request, kind: type[Body]) -> Body:
    """Raises Refusal for what does not come from this machine as JSON, and for a body that is not `kind`."""
    check_json(request)
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise invalid(str(error)) from error
