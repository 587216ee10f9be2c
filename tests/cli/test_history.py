"""`paddock history` as a person types it, against a real exchange, a folder and a bucket."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.exchange.server import ExchangeOptions, ExchangeServer
from tests.services import free_port

LAKE = Path("paper/lake/iex")


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[ExchangeServer]:
    async with ExchangeServer(ExchangeOptions(symbols=("SPY", "BTC/USD"), recent_minutes=1)) as server:
        configure(tmp_path, server.url)
        yield server


def configure(folder: Path, url: str, more: str = "") -> None:
    (folder / "paddock.toml").write_text(
        f'[alpaca.paper]\nkey = "key"\nsecret = "secret"\nurl = "{url}"\n{more}', encoding="utf-8"
    )


async def history(*arguments: str, **variables: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine.cli", "history", *arguments, env=os.environ | variables,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def day(ago: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=ago):%Y-%m-%d}"


async def test_bars_are_downloaded_once_verified_and_found_damaged(exchange: ExchangeServer, tmp_path: Path) -> None:
    where = ("--paper", "--data", str(tmp_path))
    wanted = ("download", "spy,BTC/USD", "--start", day(3), "--end", day(2), *where)
    code, out, err = await history(*wanted)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["SPY 1m", "BTC/USD 1m"]
    assert all(line.endswith(" 0 were in the lake") for line in lines)
    files = sorted(path.relative_to(tmp_path / LAKE).as_posix() for path in (tmp_path / LAKE).rglob("*.parquet"))
    assert files == [f"1m/{name}/{day(ago)}.parquet" for name in ("BTC-USD", "SPY") for ago in (3, 2)]
    code, out, _ = await history(*wanted)
    assert (code, all(", 0 from the broker," in line for line in out.splitlines())) == (0, True)
    code, out, _ = await history("verify", *where)
    assert (code, out.startswith("4 files with ")) == (0, True)
    (tmp_path / LAKE / files[2]).write_bytes(b"torn")
    code, out, err = await history("verify", *where)
    assert (code, "SPY" in out, "1 of 4 files" in err) == (65, True, True)
    code, out, _ = await history(*wanted)
    assert (code, ", 0 from the broker," in out.splitlines()[0]) == (0, False)


async def test_days_of_a_month_that_is_over_become_one_file(exchange: ExchangeServer, tmp_path: Path) -> None:
    last = datetime.now(UTC).replace(day=1) - timedelta(days=1)
    days = f"{last - timedelta(days=2):%Y-%m-%d}", f"{last:%Y-%m-%d}"
    where = ("--paper", "--data", str(tmp_path))
    await history("download", "BTC/USD", "--start", days[0], "--end", days[1], *where)
    code, out, _ = await history("compact", *where)
    assert (code, "of 3 files" in out, "3 files became 1" in out) == (0, True, True)
    assert [path.name for path in (tmp_path / LAKE).rglob("*.parquet")] == [f"{last:%Y-%m}.parquet"]
    assert (await history("compact", *where))[1] == "There is nothing to compact.\n"
    assert (await history("verify", *where))[0] == 0


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


async def test_the_lake_may_be_a_bucket_whose_secret_comes_from_the_environment(
    exchange: ExchangeServer, tmp_path: Path, s3_server: str
) -> None:
    import boto3

    client = boto3.client(
        "s3", endpoint_url=s3_server, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
    )
    client.create_bucket(Bucket="market")
    configure(tmp_path, exchange.url, f'[lake]\nurl = "s3://market/bars"\nendpoint = "{s3_server}"\nkey = "a"\n')
    where, secret = ("--paper", "--data", str(tmp_path)), {"PADDOCK_LAKE__SECRET": "b"}
    code, _, err = await history("download", "SPY", "--start", day(2), "--end", day(2), *where, **secret)
    assert (code, err) == (0, "")
    keys = [item["Key"] for item in client.list_objects_v2(Bucket="market")["Contents"]]
    assert keys == [f"bars/iex/1m/SPY/{day(2)}.parquet"]
    assert (await history("verify", *where, **secret))[0] == 0
    assert not (tmp_path / "paper").exists()


REFUSED = {
    ("SPY", "--start", "2024-01-01"): "prices are made up",
    ("SPY", "--start", "yesterday", "--paper"): "'yesterday' is not a date",
    ("SPY", "--start", "2999-01-01", "--paper"): "after the end",
    ("no symbol", "--start", "2024-01-01", "--paper"): "no symbol",
    (",", "--start", "2024-01-01", "--paper"): "No symbol is named",
    ("SPY", "--start", "2024-01-01", "--paper", "--timeframe", "1s"): "no bars of one second",
    ("SPY", "--start", "2024-01-01", "--paper", "--timeframe", "7m"): "no timeframe 7m",
    ("NOSUCH", "--start", "2024-01-01", "--paper"): "does not know NOSUCH",
}


async def test_what_cannot_be_is_refused_with_a_remedy(exchange: ExchangeServer, tmp_path: Path) -> None:
    found = await asyncio.gather(*(history("download", *words, "--data", str(tmp_path)) for words in REFUSED))
    for (code, _, err), said in zip(found, REFUSED.values(), strict=True):
        assert (code, said in err, "Traceback" in err) == (64, True, False), err
        assert len(err.splitlines()) >= 2


async def test_a_broker_that_is_away_and_a_lake_that_cannot_be_are_told(tmp_path: Path) -> None:
    configure(tmp_path, f"http://127.0.0.1:{free_port()}")
    where = ("--paper", "--data", str(tmp_path))
    code, _, err = await history("download", "SPY", "--start", day(2), *where)
    assert (code, "cannot be read" in err) == (69, True)
    configure(tmp_path, "", '[lake]\nurl = "ftp://market"\n')
    code, _, err = await history("verify", *where)
    assert (code, "s3://BUCKET/PREFIX" in err) == (64, True)
