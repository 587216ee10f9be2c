"""Sealed envelopes: only holders of a key write what is read, keys change while messages flow, and nothing is read twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import ManualClock, SystemClock
from engine.domain.errors import ConfigurationError
from engine.streams import sealing
from engine.streams.address import RedisAddress, SealingKey, Sharing, private_hub_address
from engine.streams.messages import SIGNALS
from engine.streams.sealing import OVERLAP_S, Seal, SealError, new_key
from engine.streams.transport import open_hub
from tests.services import Redis
from tests.streams.hub import Hub, Reader, until
from tests.streams.talker import signal

OLD, NEW, OTHER = (SealingKey(key_id=name, key=new_key()) for name in ("2026-10", "2026-11", "other"))
CLOCK = ManualClock(1_000_000_000)
SEAL = Seal([OLD], CLOCK)


@given(st.text(max_size=20), st.binary(max_size=300))
def test_what_is_sealed_opens_to_the_same(topic: str, frame: bytes) -> None:
    assert SEAL.open(topic, SEAL.seal(topic, frame)) == frame


@given(st.data())
def test_no_bit_can_be_changed(data: st.DataObject) -> None:
    sealed = bytearray(SEAL.seal("signals", b"buy 100 SPY"))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealError):
        SEAL.open("signals", bytes(sealed))


@given(st.binary(max_size=80))
def test_bytes_that_nobody_sealed_are_refused(frame: bytes) -> None:
    with pytest.raises(SealError):
        SEAL.open("signals", frame)


@given(st.integers(0, 40))
def test_a_frame_that_was_cut_off_is_refused(length: int) -> None:
    with pytest.raises(SealError):
        SEAL.open("signals", SEAL.seal("signals", b"buy 100 SPY")[:length])


def test_a_frame_cannot_be_moved_to_another_topic() -> None:
    with pytest.raises(SealError, match="not what was sealed"):
        SEAL.open("watch", SEAL.seal("signals", b"x"))


def test_a_nonce_never_comes_again_also_when_the_counter_is_spent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "COUNTER_END", 8)
    seals = [Seal([OLD], CLOCK) for _ in range(50)]
    start = 2 + len(OLD.key_id)
    nonces = [seal.seal("t", b"")[start : start + 12] for seal in seals for _ in range(100)]
    assert len(set(nonces)) == len(nonces)


def test_keys_change_one_reader_after_the_other_and_nothing_is_refused_meanwhile() -> None:
    """First every reader gets the new key behind the old, then it goes first, then the old is retired."""
    before, taught, changed = Seal([OLD], CLOCK), Seal([OLD, NEW], CLOCK), Seal([NEW, OLD], CLOCK)
    assert taught.open("t", before.seal("t", b"1")) == b"1"
    assert taught.open("t", changed.seal("t", b"2")) == b"2"
    assert changed.open("t", taught.seal("t", b"3")) == b"3"
    with pytest.raises(SealError, match="a key we do not hold"):
        before.open("t", changed.seal("t", b"4"))


def test_a_retired_key_seals_nothing_and_opens_for_a_day() -> None:
    clock = ManualClock(1_000_000_000)
    retired = SealingKey(key_id=OLD.key_id, key=OLD.key, retired_at=clock.now())
    seal, late = Seal([retired, NEW], clock), SEAL.seal("t", b"late")
    assert seal.seal("t", b"x")[2:].startswith(NEW.key_id.encode())
    assert seal.open("t", late) == b"late"
    clock.advance(OVERLAP_S + 1)
    with pytest.raises(SealError, match="whose time is over"):
        seal.open("t", late)


def test_a_key_that_is_to_be_retired_seals_until_then_and_the_next_one_after_it() -> None:
    clock = ManualClock(1_000_000_000)
    ending = SealingKey(key_id=OLD.key_id, key=OLD.key, retired_at=clock.now() + 60_000_000_000)
    seal = Seal([ending, NEW], clock)
    assert seal.seal("t", b"x")[2:].startswith(OLD.key_id.encode())
    clock.advance(60)
    assert seal.seal("t", b"x")[2:].startswith(NEW.key_id.encode())


@pytest.mark.parametrize("key", ["", "short", "!!!", OLD.key[:-4]], ids=["none", "short", "not base64", "cut off"])
def test_a_key_that_is_none_is_refused_in_words_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match="not 32 bytes in base64") as caught:
        Seal([SealingKey(key_id="k", key=key)], CLOCK)
    assert not key or key not in str(caught.value)


@asynccontextmanager
async def hub_with(server: Redis, folder: Path, keys: list[SealingKey]) -> AsyncIterator[Hub]:
    sharing = Sharing(redis=RedisAddress(host="127.0.0.1", port=server.port), keys=keys)
    hub = Hub(private_hub_address(folder / "hub", sharing))
    await hub.start()
    yield hub
    await hub.close()


async def test_on_redis_nothing_can_be_read_and_what_is_forged_or_sent_again_is_refused(
    redis_server: Redis, tmp_path: Path
) -> None:
    from redis import Redis as Client

    async with hub_with(redis_server, tmp_path, [OLD]) as hub:
        sender, reading = await hub.transport("sender"), await hub.transport("reader")
        reader = Reader(reading.subscribe([SIGNALS]))
        for number in range(1, 4):
            sender.publish(SIGNALS, signal(number))
        await until(lambda: len(reader.seen) == 3)
        with Client(port=redis_server.port) as client:
            entries = client.xrange("paddock:signals")
            assert b"SPY" not in b"".join(fields[b"f"] for _, fields in entries)
            for _, fields in entries:
                client.xadd("paddock:signals", fields)
        await until(lambda: reader.subscription.duplicates == 3)
        async with hub_with(redis_server, tmp_path / "forger", [OTHER]) as forgers:
            forger = await forgers.transport("sender")
            forger.publish(SIGNALS, signal(4))
            await until(lambda: reader.subscription.refused == 1)
        assert len(reader.seen) == 3


async def test_a_sender_without_a_key_is_refused_where_the_reader_has_one(redis_server: Redis, tmp_path: Path) -> None:
    async with hub_with(redis_server, tmp_path, [OLD]) as hub:
        reader = Reader((await hub.transport("reader")).subscribe([SIGNALS]))
        open_address = private_hub_address(
            tmp_path / "other", Sharing(redis=RedisAddress(host="127.0.0.1", port=redis_server.port))
        )
        sender = open_hub(open_address, "sender", SystemClock())
        await sender.start()
        sender.publish(SIGNALS, signal(1))
        await until(lambda: reader.subscription.refused == 1)
        await sender.close()
        assert reader.seen == []
