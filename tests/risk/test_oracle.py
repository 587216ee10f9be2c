"""The gate against the table written a second time: equal verdicts for thousands of orders, rule by rule; and properties."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.events import TradingState
from engine.domain.orders import Order, OrderType, Side, TimeInForce
from engine.risk import gate
from engine.risk.case import examine
from engine.risk.gate import check
from engine.risk.valuation import exposure
from tests.risk.oracle import broken
from tests.risk.scenarios import NOW, Scenario, decimals, is_well_formed, mostly_harmless, scenario

RUNS = 6_000


def refusing(one: Scenario) -> set[str]:
    """Names of all rules that refuse, not the first only."""
    case = examine(one.request, one.context)
    return {rule.__name__ for rule in gate._applied(case) if rule(case) is not None}


def agree(one: Scenario) -> set[str]:
    expected = broken(one.request, one.context, one.placed)
    assert refusing(one) == expected
    verdict = check(one.request, one.context)
    assert verdict.allowed == (not expected)
    assert verdict.allowed or (verdict.rule in expected and verdict.message and verdict.remedy)
    return expected


def test_the_gate_and_the_table_agree_on_thousands_of_orders() -> None:
    source = random.Random(4)
    seen: Counter[str] = Counter()
    for _ in range(RUNS):
        one = scenario(mostly_harmless(source))
        assert is_well_formed(one.request)
        expected = agree(one)
        seen.update(expected or {"allowed"})
    assert set(seen) == {rule.__name__ for rule in gate.ALL} | {"allowed"}, "every rule was met"
    assert min(seen.values()) >= 10, seen
    assert seen["allowed"] > RUNS / 10, seen


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_the_gate_and_the_table_agree_on_what_hypothesis_thinks_of(data: st.DataObject) -> None:
    agree(scenario(lambda options: data.draw(st.sampled_from(options))))


def more_pending(one: Scenario, side: Side, quantity: Decimal, sleeve: str) -> Scenario:
    """The same picture with one more order working, and the exposure that comes with it."""
    order = Order(
        client_order_id="demo-2", symbol=one.request.symbol, side=side, quantity=quantity, type=OrderType.LIMIT,
        time_in_force=TimeInForce.DAY, sleeve=sleeve, created_at=NOW, limit_price=Decimal(100),
    )  # fmt: skip
    context = one.context
    mark = Decimal(str(context.price.last)) if context.price is not None and context.price.last > 0 else None
    case = examine(one.request, context)
    mark = case.price if mark is None or not mark.is_finite() else mark
    added = Decimal(0)
    if mark is not None:
        sums = {Side.BUY: Decimal(0), Side.SELL: Decimal(0)}
        for working in context.working:
            price = working.limit_price or max(mark, working.stop_price or Decimal(0)) * (
                Decimal("1.03") if working.side is Side.BUY else 1
            )
            sums[working.side] += working.remaining * price
        before = exposure(context.net_position * mark, sums[Side.BUY], sums[Side.SELL])
        sums[side] += quantity * 100
        added = exposure(context.net_position * mark, sums[Side.BUY], sums[Side.SELL]) - before
    changed = msgspec.structs.replace(
        context, working=[*context.working, order], open_count=context.open_count + 1,
        gross_exposure=context.gross_exposure + added,
    )  # fmt: skip
    return Scenario(one.request, changed, one.placed)


def test_more_pending_orders_never_make_a_refused_order_pass() -> None:
    source = random.Random(5)
    refused = 0
    for _ in range(3_000):
        one = scenario(mostly_harmless(source))
        if one.context.emergency or check(one.request, one.context).allowed:
            continue
        refused += 1
        quantity, sleeve = source.choice(decimals("1", "5", "50")), source.choice(["bot", "manual"])
        assert not check(one.request, more_pending(one, source.choice(list(Side)), quantity, sleeve).context).allowed
    assert refused > 500


@pytest.mark.parametrize("state", list(TradingState))
def test_the_trading_state_lets_through_what_it_says(state: TradingState) -> None:
    source = random.Random(6)
    for _ in range(1_000):
        one = scenario(mostly_harmless(source))
        context = msgspec.structs.replace(one.context, trading_state=state, emergency=False)
        allowed = check(one.request, context).allowed
        reduces = examine(one.request, context).reduces
        assert not (allowed and state is TradingState.HALTED), "only cancels, and those ask no gate"
        assert not (allowed and state is TradingState.REDUCING and not reduces)
        if state is TradingState.REDUCING and reduces and not allowed:
            # What stops a reduction is the venue's own no, or an order that could not be meant.
            assert refusing(Scenario(one.request, context, one.placed)) <= {rule.__name__ for rule in gate.REDUCING}
