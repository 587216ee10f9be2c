"""The life of the engine: what may follow what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.orchestrator.states import FOLLOWING, EngineState, IllegalChangeError, Lifecycle

S = EngineState


def test_a_whole_life_is_told_change_by_change() -> None:
    told: list[tuple[EngineState, EngineState, str]] = []
    life = Lifecycle(lambda old, new, reason: told.append((old, new, reason)))
    for state in (S.STARTING, S.RUNNING, S.PAUSED, S.RUNNING, S.STOPPING, S.STOPPED):
        life.change_state(state, f"to {state}")
    assert [new for _, new, _ in told] == [S.STARTING, S.RUNNING, S.PAUSED, S.RUNNING, S.STOPPING, S.STOPPED]
    assert told[2] == (S.RUNNING, S.PAUSED, "to PAUSED")


@given(st.lists(st.sampled_from(EngineState), max_size=30))
def test_only_what_may_follow_does_and_a_refusal_changes_nothing(asked: list[EngineState]) -> None:
    told: list[EngineState] = []
    life = Lifecycle(lambda old, new, reason: told.append(new))
    for state in asked:
        before = life.state
        if state in FOLLOWING[before]:
            life.change_state(state)
        else:
            with pytest.raises(IllegalChangeError):
                life.change_state(state)
            assert life.state is before
    assert [life.state] == (told[-1:] or [S.CREATED])


def test_what_is_over_stays_over() -> None:
    assert {state for state in EngineState if state.is_over} == {state for state in S if not FOLLOWING[state]}
