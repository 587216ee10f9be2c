"""The lake, in a folder and in a bucket: what was written is read, damage is found, and compaction loses nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.domain.errors import ConfigurationError, CredentialsError, DataError, UnavailableError
from engine.domain.market import NANOSECONDS, Bar, Timeframe
from engine.domain.spans import Span
from engine.storage.lake.address import LakeAddress, open_lake
from engine.storage.lake.lake import Lake
from engine.storage.lake.objects import LocalFolder, ObjectStore
from engine.storage.lake.parts import Row
from engine.storage.lake.periods import Period, period_of, periods
from engine.storage.lake.s3 import S3Bucket
from tests.services import free_port

MINUTE, DAY = 60 * NANOSECONDS, 86_400 * NANOSECONDS
MONDAY = 1_381_104_000 * NANOSECONDS  # 2013-10-07
NOVEMBER = 1_383_264_000 * NANOSECONDS


def row(minute: int, close: float = 10.0, revision: int = 0, symbol: str = "SPY") -> Row:
    at = MONDAY + minute * MINUTE
    return Row(
        Bar(
            symbol,
            Timeframe.MINUTE_1,
            at,
            10.0,
            max(10.0, close),
            min(10.0, close),
            close,
            5.0,
            2,
            10.0,
            True,
            revision,
        ),
        "broker",
    )


def write(lake: Lake, rows: list[Row], covered: list[Span] | None = None) -> int:
    return lake.write("SPY", Timeframe.MINUTE_1, rows, covered or [])


def read(lake: Lake, start: int = 0, end: int = 2 * NOVEMBER) -> tuple[list[Row], list[Span]]:
    return lake.read("SPY", Timeframe.MINUTE_1, [Span(start, end)])


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return LocalFolder(tmp_path / "lake")
    endpoint = request.getfixturevalue("s3_server")
    import boto3

    name = f"bars-{free_port()}-{tmp_path.name.replace('_', '-')}"[:60].lower().rstrip("-0")
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=endpoint, **keys).create_bucket(Bucket=name)
    return S3Bucket(LakeAddress(url=f"s3://{name}/market/", endpoint=endpoint, key="a", secret="b"))


def test_what_was_written_is_read_with_its_source_and_what_it_covers(store: ObjectStore) -> None:
    lake = Lake(store)
    day = Span(MONDAY, MONDAY + DAY)
    assert write(lake, [row(0), row(1, 11.5), row(1_500)], [day]) == 2
    rows, covered = read(Lake(store))
    assert rows == [row(0), row(1, 11.5), row(1_500)]
    assert covered == [day]
    assert list(store.names("")) == ["1m/SPY/2013-10-07.parquet", "1m/SPY/2013-10-08.parquet"]
    assert read(lake, MONDAY + MINUTE, MONDAY + 2 * MINUTE) == (
        [row(1, 11.5)],
        [Span(MONDAY + MINUTE, MONDAY + 2 * MINUTE)],
    )
    assert read(lake, MONDAY + 2 * DAY) == ([], [])
    assert write(lake, [row(0)], [day]) == 0


def test_a_pair_with_a_slash_has_a_folder_of_its_own(store: ObjectStore) -> None:
    lake = Lake(store)
    lake.write("BTC/USD", Timeframe.MINUTE_1, [row(3, symbol="BTC/USD")], [])
    assert list(store.names("")) == ["1m/BTC-USD/2013-10-07.parquet"]
    assert [found.bar.symbol for found in lake.read("BTC/USD", Timeframe.MINUTE_1, [Span(0, NOVEMBER)])[0]] == [
        "BTC/USD"
    ]


def test_a_revised_bar_replaces_the_one_before_and_is_not_replaced_by_it(store: ObjectStore) -> None:
    lake = Lake(store)
    write(lake, [row(0)])
    write(lake, [row(0, 12.0, revision=2)])
    write(lake, [row(0, 9.0, revision=1)])
    assert read(lake)[0] == [row(0, 12.0, revision=2)]


def test_a_day_without_trades_is_remembered_as_such(store: ObjectStore) -> None:
    lake, sunday = Lake(store), Span(MONDAY - DAY, MONDAY)
    assert write(lake, [], [sunday]) == 1
    assert read(lake) == ([], [sunday])


def test_a_damaged_file_is_told_by_verify_and_put_aside_by_reading(store: ObjectStore) -> None:
    lake = Lake(store)
    write(lake, [row(0), row(1_500)], [Span(MONDAY, MONDAY + 2 * DAY)])
    assert [found.problem for found in lake.verify()] == ["", ""]
    name = "1m/SPY/2013-10-07.parquet"
    content = store.read(name)
    assert content is not None
    store.write(name, content[: len(content) // 2])
    bad, good = lake.verify()
    assert "damaged" in bad.problem
    assert (good.problem, good.rows) == ("", 1)
    assert read(lake) == ([row(1_500)], [Span(MONDAY + DAY, MONDAY + 2 * DAY)])
    assert lake.damaged == 1
    assert store.read(name) is None
    assert [found.problem for found in lake.verify()] == ["was put aside", ""]
    write(lake, [row(0)], [Span(MONDAY, MONDAY + DAY)])
    assert read(lake)[0] == [row(0), row(1_500)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("close = close + 0.5", "checksum"),
        ("drop", "1 rows and should have 2"),
        ("reverse", "checksum"),
    ],
)
def test_rows_that_somebody_changed_are_told(tmp_path: Path, change: str, said: str) -> None:
    import polars as pl

    lake = Lake(LocalFolder(tmp_path))
    write(lake, [row(0), row(1)])
    path = tmp_path / "1m/SPY/2013-10-07.parquet"
    header = pl.read_parquet_metadata(path)
    frame = pl.read_parquet(path)
    frame = {"drop": frame.head(1), "reverse": frame.reverse()}.get(change, frame.with_columns(pl.col("high") + 0.5))
    frame.write_parquet(path, metadata={"paddock": header["paddock"]})
    (found,) = lake.verify()
    assert said in found.problem


def test_a_foreign_file_is_told_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "1m/SPY").mkdir(parents=True)
    for name in ("notes.txt", "1m/SPY/2013-13-01.parquet"):
        (tmp_path / name).write_bytes(b"mine")
    (tmp_path / "1m/SPY/2013-10-07.parquet").write_bytes(b"no parquet at all")
    lake = Lake(LocalFolder(tmp_path))
    assert sorted(bool(found.problem) for found in lake.verify()) == [True, True, True]
    with pytest.raises(DataError, match="damaged"):
        list(lake.compact(2 * NOVEMBER))
    assert (tmp_path / "notes.txt").read_bytes() == b"mine"


def test_compaction_makes_a_file_of_each_month_that_is_over_and_loses_nothing(store: ObjectStore) -> None:
    lake = Lake(store)
    rows = [row(minute) for minute in (0, 5, 1_500, 5_000, 40_000)]
    write(lake, rows, [Span(MONDAY, MONDAY + 4 * DAY)])
    before = read(lake)
    (found,) = lake.compact(NOVEMBER)
    assert (found.files, found.rows) == (4, 4)
    assert list(store.names("")) == ["1m/SPY/2013-10.parquet", "1m/SPY/2013-11-03.parquet"]
    assert read(lake) == before
    assert list(lake.compact(NOVEMBER)) == []
    late = row(7, 11.0, revision=1)
    write(lake, [late], [])
    assert read(lake)[0] == sorted([*rows, late], key=lambda each: each.bar.timestamp)
    assert [each.files for each in lake.compact(NOVEMBER)] == [1]
    assert read(lake)[0] == sorted([*rows, late], key=lambda each: each.bar.timestamp)


def test_compaction_stops_before_a_damaged_day_and_changes_nothing(store: ObjectStore) -> None:
    lake = Lake(store)
    write(lake, [row(0), row(1_500)])
    store.write("1m/SPY/2013-10-07.parquet", b"torn")
    with pytest.raises(DataError, match="damaged"):
        list(lake.compact(NOVEMBER))
    assert list(store.names("")) == ["1m/SPY/2013-10-07.parquet", "1m/SPY/2013-10-08.parquet"]


def test_a_compaction_that_was_cut_off_before_deleting_is_completed_by_the_next(store: ObjectStore) -> None:
    lake = Lake(store)
    write(lake, [row(0), row(1_500)])
    days = {name: store.read(name) or b"" for name in store.names("")}
    list(lake.compact(NOVEMBER))
    for name, content in days.items():
        store.write(name, content)
    assert read(lake)[0] == [row(0), row(1_500)]
    assert [found.files for found in lake.compact(NOVEMBER)] == [2]
    assert list(store.names("")) == ["1m/SPY/2013-10.parquet"]


CHILD = """
import sys
from pathlib import Path
from tests.storage.test_lake import Lake, LocalFolder, Span, MONDAY, DAY, row, write
lake = Lake(LocalFolder(Path(sys.argv[1])))
print("go", flush=True)
for number in range(10**9):
    write(lake, [row(minute, 10.0 + number % 7, revision=number) for minute in range(300)], [Span(MONDAY, MONDAY + DAY)])
"""


def test_a_writer_that_is_killed_leaves_a_whole_file(tmp_path: Path) -> None:
    for _ in range(3):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        path = tmp_path / "1m/SPY/2013-10-07.parquet"
        while not path.exists():
            assert child.poll() is None
        child.kill()
        child.wait()
        child.stdout.close()
        lake = Lake(LocalFolder(tmp_path))
        assert [found.problem for found in lake.verify()] == [""]
        assert len(read(lake)[0]) == 300


pieces = st.lists(st.tuples(st.lists(st.integers(0, 6_000), max_size=8), st.integers(0, 5), st.booleans()), max_size=6)


@given(pieces)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_order_of_writing_and_compacting_the_newest_bars_are_read(
    tmp_path: Path, written: list[tuple[list[int], int, bool]]
) -> None:
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    lake, expected = Lake(LocalFolder(folder)), {}
    for minutes, revision, compact in written:
        rows = [row(minute, 10.0 + revision, revision) for minute in sorted(set(minutes))]
        write(lake, rows)
        for each in rows:
            known = expected.get(each.bar.timestamp)
            if known is None or each.bar.revision >= known.bar.revision:
                expected[each.bar.timestamp] = each
        if compact:
            list(lake.compact(NOVEMBER))
    folder.mkdir(exist_ok=True)
    assert read(lake)[0] == [expected[at] for at in sorted(expected)]
    assert all(not found.problem for found in lake.verify())


@given(st.integers(0, 4 * 10**18), st.integers(1, 500 * DAY), st.sampled_from(list(Timeframe)))
def test_periods_follow_each_other_without_hole_and_know_their_files(
    start: int, length: int, timeframe: Timeframe
) -> None:
    found = list(periods("BTC/USD", timeframe, start, start + length))
    assert found[0].start <= start < found[0].end
    assert found[-1].start < start + length <= found[-1].end
    assert all(a.end == b.start for a, b in pairwise(found))
    assert all(period_of(period.name) == period for period in found)
    assert all(m.start <= p.start and p.end <= m.end for p in found if (m := p.month) is not None)


def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "1m").write_text("a file where a folder should be")
    with pytest.raises(DataError, match="cannot be read: Not a directory"):
        write(Lake(LocalFolder(tmp_path)), [row(0)])


def test_a_bucket_that_is_not_there_or_a_server_that_does_not_answer_is_told(s3_server: str) -> None:
    keys = {"key": "a", "secret": "b"}
    with pytest.raises(ConfigurationError, match="no bucket nowhere"):
        write(Lake(S3Bucket(LakeAddress(url="s3://nowhere", endpoint=s3_server, **keys))), [row(0)])
    with pytest.raises(UnavailableError, match="cannot be reached"):
        read(Lake(S3Bucket(LakeAddress(url="s3://bars", endpoint=f"http://127.0.0.1:{free_port()}", **keys))))
    with pytest.raises(ConfigurationError, match="endpoint"):
        S3Bucket(LakeAddress(url="s3://bars", endpoint="nonsense", **keys))


def test_refused_keys_name_the_settings(s3_server: str) -> None:
    bucket = S3Bucket(LakeAddress(url="s3://bars/x", endpoint=s3_server, key="a", secret="b"))
    error = bucket._refused("1m/SPY/2013.parquet", "SignatureDoesNotMatch")
    assert isinstance(error, CredentialsError)
    assert "[lake] key and secret" in error.remedy


def test_a_period_names_its_file() -> None:
    assert Period(Timeframe.HOUR_1, "BTC/USD", "2013").name == "1h/BTC-USD/2013.parquet"


@pytest.mark.parametrize("where", ["folder", "bucket"])
def test_bars_of_two_feeds_never_mix(where: str, tmp_path: Path, s3_server: str) -> None:
    address = LakeAddress(url=str(tmp_path))
    if where == "bucket":
        import boto3

        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=s3_server, **keys).create_bucket(Bucket="two-feeds")
        address = LakeAddress(url="s3://two-feeds/bars/", endpoint=s3_server, key="a", secret="b")
    write(open_lake(address, "iex"), [row(0)])
    write(open_lake(address, "sip"), [row(0, 11.0)])
    assert read(open_lake(address, "iex"))[0] == [row(0)]
    assert "secret" not in repr(address)


def test_what_a_killed_writer_left_is_swept_by_the_next_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    writing = "import sys, pathlib; from engine.storage.lake.objects import LocalFolder\n" \
        "pathlib.Path.replace = lambda self, target: (print(self, flush=True), sys.stdin.read())\n" \
        "LocalFolder(pathlib.Path(sys.argv[1])).write('SPY/1m/a.parquet', b'half')"  # fmt: skip
    killed, living = (
        subprocess.Popen(
            [sys.executable, "-c", writing, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    )
    left = []
    for writer in (killed, living):
        assert writer.stdout is not None
        left.append(Path(writer.stdout.readline().strip()))
    killed.kill()
    killed.wait(10)
    lake = Lake(LocalFolder(tmp_path))
    assert left[0].exists() and left[1].exists()
    write(lake, [row(0)])
    assert (left[0].exists(), left[1].exists()) == (False, True)
    living.communicate("", timeout=10)
    assert killed.stdin is not None and killed.stdout is not None
    killed.stdin.close()
    killed.stdout.close()
