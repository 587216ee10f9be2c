"""An hour of figures: complete, in order, finer the newer, and no more than its bound however long it runs."""

from __future__ import annotations

from itertools import pairwise

from engine.processes.history import STEPS, SampleHistory
from engine.views import ProcessSample


def after(seconds: int) -> list[ProcessSample]:
    history = SampleHistory()
    for second in range(seconds):
        history.add(ProcessSample(float(second), float(second % 100), second * 1_000, 1.0))
    return history.samples()


def test_the_newest_two_minutes_are_kept_second_by_second() -> None:
    newest = after(100)
    assert [sample.at for sample in newest] == [float(second) for second in range(99)]
    assert newest[7].cpu_percent == 7.0


def test_a_day_stays_within_the_bound_and_reaches_back_an_hour() -> None:
    samples = after(24 * 3_600)
    assert len(samples) <= sum(count for _, count in STEPS)
    assert 55 * 60 <= 24 * 3_600 - samples[0].at <= 62 * 60
    assert all(one.at < other.at for one, other in pairwise(samples))
    gaps = [other.at - one.at for one, other in pairwise(samples)]
    assert (gaps[0], gaps[70], gaps[-1]) == (60.0, 10.0, 1.0), "finer the newer"


def test_an_older_sample_is_the_mean_of_its_time() -> None:
    oldest = after(3_000)[0]
    assert oldest.rss_bytes == sum(range(int(oldest.at), int(oldest.at) + 60)) * 1_000 // 60
