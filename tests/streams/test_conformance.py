"""What every way of the hub promises, proved over embedded ZeroMQ, a real Redis and a mock of a Kafka cluster alike."""

from __future__ import annotations

import asyncio

import pytest

from engine.clock import SystemClock
from engine.domain.market import Timeframe
from engine.streams import inbox
from engine.streams.messages import CANDLES, QUOTES, SIGNALS, WATCH, Candles, Quotes, QuoteState, Watch
from engine.streams.transport import open_hub
from tests.streams.hub import Reader, until
from tests.streams.peers import Way, way

__all__ = ["way"]

MINUTES, HOURS = "candles.1m", "candles.1h"
GROUP_LONGEST = 40.0
"""Seconds: Kafka takes its time to deal out the shares of a group."""


async def test_each_senders_messages_arrive_in_order_and_whole(way: Way) -> None:
    one, two, reading = [await way.transport(name) for name in ("one", "two", "reader")]
    reader = Reader(reading.subscribe([WATCH]))
    await reader.hears(one)
    await reader.hears(two)
    for number in range(1, 2_001):
        for sender in (one, two):
            sender.publish(WATCH, Watch(add=[str(number)]))
    await until(lambda: all(reader.numbers(name)[-1] == 2_000 for name in ("one", "two")))
    for name in ("one", "two"):
        assert [number for number in reader.numbers(name) if number] == list(range(1, 2_001))
    assert (reader.subscription.gaps, reader.subscription.dropped, reader.subscription.invalid) == (0, 0, 0)


async def test_a_reader_gets_only_the_topics_it_asked_for(way: Way) -> None:
    sender, reading = await way.transport("sender"), await way.transport("reader")
    reader, all_candles = Reader(reading.subscribe([SIGNALS, MINUTES])), Reader(reading.subscribe([CANDLES]))
    await reader.hears(sender, SIGNALS)
    for topic in (WATCH, HOURS, MINUTES):
        sender.publish(topic, Watch())
    await reader.hears(sender, SIGNALS)
    await until(lambda: {delivery.topic for delivery in all_candles.seen} == {HOURS, MINUTES})
    await until(lambda: {delivery.topic for delivery in reader.seen} == {SIGNALS, MINUTES})


async def test_latest_values_arrive_too(way: Way) -> None:
    sender, reading = await way.transport("sender"), await way.transport("reader")
    reader = Reader(reading.subscribe([QUOTES]))
    quote = QuoteState("SPY", 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8)
    await until(lambda: bool(reader.seen), lambda: sender.publish(QUOTES, Quotes([quote])))
    assert reader.seen[0].message == Quotes([quote])


async def test_messages_that_never_came_are_counted_as_gaps(way: Way) -> None:
    sender, reading = await way.transport("sender"), await way.transport("reader")
    reader = Reader(reading.subscribe([WATCH]))
    await reader.hears(sender)
    sender.numbering.skip(WATCH, 7)
    sender.publish(WATCH, Watch(add=["9"]))
    await until(lambda: reader.numbers("sender")[-1] == 9)
    assert reader.subscription.gaps == 7


async def test_a_sender_that_is_started_again_counts_from_one_and_that_is_no_gap(way: Way) -> None:
    reading = await way.transport("reader")
    reader = Reader(reading.subscribe([WATCH]))
    for _ in range(2):
        sender = open_hub(way.address, "again", SystemClock())
        await sender.start()
        await reader.hears(sender)
        await sender.close()
    assert reader.subscription.gaps == reader.subscription.duplicates == 0


async def test_a_slow_reader_loses_the_oldest_and_counts_them(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "QUEUE_LIMIT", 100)
    sender, reading = await way.transport("sender"), await way.transport("reader")
    slow, quick = reading.subscribe([WATCH]), Reader(reading.subscribe([WATCH]))

    def speak() -> None:
        for _ in range(50):
            sender.publish(WATCH, Watch(add=["1"]))

    await until(lambda: slow.dropped >= 50, speak)
    batch = await anext(aiter(slow))
    assert len(batch) <= 100
    await until(lambda: len(quick.seen) >= 100)


async def test_bytes_that_make_no_sense_are_counted_and_harm_nobody(way: Way) -> None:
    sender, reading = await way.transport("sender"), await way.transport("reader")
    reader = Reader(reading.subscribe([WATCH]))
    await reader.hears(sender)
    await way.garbage(WATCH, [b"\xc1", b"", b"\x95\x01\x02\x03\x04\x05", bytes(range(256))])
    await until(lambda: reader.subscription.invalid == 4)
    await reader.hears(sender)


async def test_the_readers_of_a_group_share_and_each_message_goes_to_one(way: Way) -> None:
    sender, first, second = [await way.transport(name) for name in ("sender", "first", "second")]
    readers = [Reader(reading.subscribe([MINUTES], "share"), acks=True) for reading in (first, second)]
    alone = Reader(sender.subscribe([MINUTES], "alone"), acks=True)

    senders = [sender, *[await way.transport(f"sender-{number}") for number in range(4)]]

    def speak(number: int = 0) -> None:
        for one in senders:
            one.publish(MINUTES, Watch(add=[str(number)]))

    await until(lambda: all(reader.seen for reader in (*readers, alone)), speak, GROUP_LONGEST)
    for number in range(1, 501):
        speak(number)
    names = [f"sender-{number}" for number in range(4)]
    for name in ("sender", *names):
        await until(lambda name=name: 500 in alone.numbers(name))  # type: ignore[misc]
        shared = lambda name=name: [n for reader in readers for n in reader.numbers(name) if n]  # type: ignore[misc] # noqa: E731
        await until(lambda shared=shared: len(shared()) >= 500)  # type: ignore[misc]
        assert sorted(shared()) == list(range(1, 501))
        assert [n for n in alone.numbers(name) if n] == list(range(1, 501))


async def test_what_a_dead_reader_of_a_group_did_not_acknowledge_goes_to_another(way: Way) -> None:
    sender, dying, living = [await way.transport(name) for name in ("sender", "dying", "living")]
    doomed = Reader(dying.subscribe([MINUTES], "share"))
    await until(lambda: bool(doomed.seen), lambda: sender.publish(MINUTES, Watch(add=["0"])), GROUP_LONGEST)
    for number in range(1, 101):
        sender.publish(MINUTES, Watch(add=[str(number)]))
    await until(lambda: 100 in doomed.numbers("sender"))
    await doomed.stop()
    await dying.close()
    way.transports.remove(dying)
    heir = Reader(living.subscribe([MINUTES], "share"), acks=True)
    await until(lambda: 100 in heir.numbers("sender"), longest=GROUP_LONGEST)
    assert [number for number in heir.numbers("sender") if number] == list(range(1, 101))


async def test_what_was_acknowledged_does_not_come_again(way: Way) -> None:
    sender, leaving, staying = [await way.transport(name) for name in ("sender", "leaving", "staying")]
    done = Reader(leaving.subscribe([MINUTES], "share"), acks=True)
    await until(lambda: bool(done.seen), lambda: sender.publish(MINUTES, Watch(add=["0"])), GROUP_LONGEST)
    sender.publish(MINUTES, Watch(add=["1"]))
    await until(lambda: 1 in done.numbers("sender"))
    await asyncio.sleep(0)
    await leaving.close()
    way.transports.remove(leaving)
    heir = Reader(staying.subscribe([MINUTES], "share"), acks=True)
    sender.publish(MINUTES, Candles(Timeframe.MINUTE_1, []))
    await until(lambda: any(isinstance(d.message, Candles) for d in heir.seen), longest=GROUP_LONGEST)
    assert 1 not in heir.numbers("sender")


async def test_closing_while_somebody_reads_ends_the_reading(way: Way) -> None:
    reading = await way.transport("reader")
    reader = Reader(reading.subscribe([WATCH]))
    await asyncio.sleep(0)
    await reader.subscription.close()
    await reader.ended()
