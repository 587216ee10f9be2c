"""The order's state machine: one table of legal steps, and illegal ones refused, counted and logged."""

from __future__ import annotations

import logging

import pytest

from engine.domain.orders import Order, OrderStatus
from engine.execution.transitions import ENDED, LEGAL, PASSING, WORKING, OrderStates
from tests.execution.test_order_book import ours


def at(status: OrderStatus) -> Order:
    order = ours()
    order.status = status
    return order


def test_every_state_has_its_row_and_only_known_states_follow() -> None:
    assert set(LEGAL) == set(OrderStatus)
    assert all(state not in follow for state, follow in LEGAL.items())


@pytest.mark.parametrize("state", [state for state in OrderStatus if state.is_final])
def test_nothing_leaves_a_final_state_but_a_rejection_of_ours_that_the_venue_contradicts(state: OrderStatus) -> None:
    assert LEGAL[state] == (WORKING | (ENDED - {state}) if state is OrderStatus.REJECTED else frozenset())


@pytest.mark.parametrize("state", sorted(WORKING | {OrderStatus.SENT, OrderStatus.UNRESOLVED}))
def test_what_the_venue_may_have_can_end_in_every_way(state: OrderStatus) -> None:
    assert LEGAL[state] >= ENDED


def test_what_was_never_sent_cannot_be_at_the_venue() -> None:
    assert LEGAL[OrderStatus.INTENT] == {OrderStatus.SENT, OrderStatus.BLOCKED, OrderStatus.REJECTED}


@pytest.mark.parametrize("state", sorted(PASSING))
def test_a_refused_cancel_or_replacement_leads_back(state: OrderStatus) -> None:
    assert {OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED} <= LEGAL[state]


def test_a_legal_step_is_taken_with_its_reason() -> None:
    states, order = OrderStates(), at(OrderStatus.SENT)
    assert states.change_state(order, OrderStatus.REJECTED, "no")
    assert (order.status, order.message) == (OrderStatus.REJECTED, "no")
    assert not states.refused


def test_an_illegal_step_is_refused_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    states, order = OrderStates(), at(OrderStatus.FILLED)
    with caplog.at_level(logging.ERROR):
        assert not states.change_state(order, OrderStatus.NEW, "late")
    assert (order.status, order.message) == (OrderStatus.FILLED, "")
    assert states.refused == {(OrderStatus.FILLED, OrderStatus.NEW): 1}
    assert "cannot go from filled to new" in caplog.text


def test_to_stay_is_no_step_and_no_mistake() -> None:
    states, order = OrderStates(), at(OrderStatus.NEW)
    assert not states.change_state(order, OrderStatus.NEW)
    assert not states.refused
