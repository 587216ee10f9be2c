"""What the market brought, encoded once a format and given to every client that wants it in as few frames as possible."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from engine.domain.market import Bar, Quote, Trade
from engine.exchange.prices.events import Bands, Cancellation, Correction, LatePrint, Status, TapeEvent
from engine.exchange.server import announcements, codec
from engine.exchange.server.floor import Counters
from engine.exchange.server.subscribers import CONFLATED, CRYPTO, STOCKS, TEST, Client

Message = tuple[str, str, Callable[[bool], bytes]]
"""(channel, symbol, encoder that is told whether msgpack is wanted)"""


def messages_of(events: Iterable[TapeEvent], bars: Iterable[tuple[str, Bar]]) -> list[Message]:
    """`bars` come with their channel."""
    kinds = {"bars": "b", "updatedBars": "u", "dailyBars": "d"}
    messages = [message for event in events for message in _of_event(event)]
    messages += [(channel, bar.symbol, partial(codec.encode_bar, kinds[channel], bar)) for channel, bar in bars]
    return messages


class FanOut:
    """One batch for all clients. Pieces are encoded once for each format, frames joined once for equal clients."""

    def __init__(self, messages: list[Message], counters: Counters, test: bool = False) -> None:
        self._messages = messages
        self._feeds = [TEST if test else CRYPTO if "/" in symbol else STOCKS for _, symbol, _ in messages]
        self._counters = counters
        self._pieces: dict[bool, list[bytes]] = {packed: [b""] * len(messages) for packed in (True, False)}
        """By format, as far as they have been asked for; no piece is empty."""
        self._frames: dict[tuple[object, ...], tuple[list[bytes | str], int]] = {}

    def send(self, client: Client) -> bool:
        """Returns False, once, when the client is too slow to be kept."""
        if client.outbox.is_behind:
            return self._send_conflated(client)
        if client.held and not self._release(client):
            return False
        signature = client.signature()
        if signature not in self._frames:
            made, packed = self._pieces[client.packed], client.packed
            pieces = [made[index] or self._piece(index, packed) for index in self._wanted(client)]
            self._frames[signature] = (codec.frames(pieces, client.packed), len(pieces))
        frames, count = self._frames[signature]
        return self._put(client, frames, count)

    def _send_conflated(self, client: Client) -> bool:
        """Quotes wait, the newest of each symbol; everything else is sent as ever."""
        pieces = []
        for index in self._wanted(client):
            channel, symbol, _ = self._messages[index]
            if channel not in CONFLATED:
                pieces.append(self._piece(index, client.packed))
                continue
            self._counters.conflated += (channel, symbol) in client.held
            client.held[channel, symbol] = self._piece(index, client.packed)
        return self._put(client, codec.frames(pieces, client.packed), len(pieces))

    def _release(self, client: Client) -> bool:
        held, client.held = list(client.held.values()), {}
        return self._put(client, codec.frames(held, client.packed), len(held))

    def _put(self, client: Client, frames: list[bytes | str], count: int) -> bool:
        self._counters.frames += len(frames)
        self._counters.messages += count
        return all(client.outbox.put(frame) for frame in frames)

    def _wanted(self, client: Client) -> list[int]:
        feed, asked = client.feed, client.subscriptions
        found = []
        for index, (channel, symbol, _) in enumerate(self._messages):
            names = asked.get(channel)
            if names and (symbol in names or "*" in names) and self._feeds[index] == feed:
                found.append(index)
        return found

    def _piece(self, index: int, packed: bool) -> bytes:
        pieces = self._pieces[packed]
        if not pieces[index]:
            pieces[index] = self._messages[index][2](packed)
        return pieces[index]


def _of_event(event: TapeEvent) -> list[Message]:
    symbol = event.symbol
    match event:
        case Quote():
            quote: Message = ("quotes", symbol, partial(codec.encode_quote, event))
            if "/" not in symbol:
                return [quote]
            return [quote, ("orderbooks", symbol, partial(announcements.encode_book, event))]
        case Trade():
            return [("trades", symbol, partial(codec.encode_trade, event))]
        case LatePrint():
            return [("trades", symbol, partial(codec.encode_trade, event.trade))]
        case Status():
            return [("statuses", symbol, partial(announcements.encode_status, event))]
        case Bands():
            return [("lulds", symbol, partial(announcements.encode_bands, event))]
        case Correction():
            return [("trades", symbol, partial(announcements.encode_correction, event))]
        case Cancellation():
            return [("trades", symbol, partial(announcements.encode_cancellation, event))]
