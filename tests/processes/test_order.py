"""The order of starts: every process after those it needs, whatever the order it was named in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.errors import ConfigurationError
from engine.processes.order import layers

NEEDS = {"feed": ["exchange", "hub"], "recorder": ["hub"], "bot": ["hub"]}


def test_those_that_need_nothing_come_first_in_the_order_given() -> None:
    found = layers(["bot", "feed", "exchange", "hub", "recorder"], NEEDS)
    assert found == [["exchange", "hub"], ["bot", "feed", "recorder"]]


def test_what_is_not_asked_for_is_not_waited_for() -> None:
    assert layers(["bot", "feed", "bot"], NEEDS) == [["bot", "feed"]]


def test_a_circle_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"circle: .*a.*b"):
        layers(["a", "b"], {"a": ["b"], "b": ["a"]})


@given(st.lists(st.integers(0, 9), unique=True, min_size=1), st.data())
def test_each_comes_once_and_after_its_needs(names: list[int], data: st.DataObject) -> None:
    words = [str(name) for name in names]
    needs = {
        word: data.draw(st.lists(st.sampled_from(words[:place]), unique=True)) if place else []
        for place, word in enumerate(words)
    }
    asked = data.draw(st.permutations(words))
    found = [name for layer in layers(asked, needs) for name in layer]
    assert sorted(found) == sorted(words)
    assert all(found.index(need) < found.index(word) for word in words for need in needs[word])
