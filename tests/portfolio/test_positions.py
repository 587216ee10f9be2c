"""Positions conserve money; targets never cross zero and never spend more than the sleeve has."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from engine.domain.orders import Fill, Side
from engine.domain.portfolio import Booking, CostBasis, Lot, Position, VenuePosition
from engine.portfolio.bookings import TRANSFER, transfer_parts
from engine.portfolio.positions import EXTERNAL_SLEEVE, Positions
from engine.portfolio.targets import SleevePlan, closing_orders, order_for

quantities = st.integers(1, 500).map(Decimal)
prices = st.decimals("0.01", "5000", places=2)


def fill(number: int, side: Side, quantity: Decimal, price: Decimal, fee: Decimal = Decimal(0)) -> Fill:
    return Fill(
        execution_id=str(number), client_order_id="o", venue_order_id="v", symbol="SPY", side=side, quantity=quantity,
        price=price, timestamp=number, sleeve="test", fee=fee,
    )  # fmt: skip


@given(
    st.lists(st.tuples(st.sampled_from(Side), quantities, prices, st.decimals("0", "3", places=2)), max_size=30),
    prices,
    st.sampled_from(list(CostBasis)),
)
def test_realised_and_unrealised_are_the_change_of_cash_and_value(
    trades: list[tuple[Side, Decimal, Decimal, Decimal]], last: Decimal, basis: CostBasis
) -> None:
    positions, cash = Positions(basis), Decimal(0)
    for number, (side, quantity, price, fee) in enumerate(trades):
        positions.apply(fill(number, side, quantity, price, fee))
        cash -= side.sign * quantity * price + fee
    positions.mark("SPY", last)
    position = positions.get("SPY", "test")
    assert abs(position.realised + position.unrealised - (cash + position.quantity * last)) < Decimal("0.000001")


def test_a_fill_through_zero_opens_at_its_own_price() -> None:
    positions = Positions()
    positions.apply(fill(1, Side.BUY, Decimal(10), Decimal(100)))
    position = positions.apply(fill(2, Side.SELL, Decimal(15), Decimal(110)))
    assert (position.quantity, position.average_price, position.realised) == (Decimal(-5), Decimal(110), Decimal(100))


def test_first_in_first_out_sells_the_oldest_first() -> None:
    positions = Positions(CostBasis.FIFO)
    positions.apply(fill(1, Side.BUY, Decimal(10), Decimal(100)))
    positions.apply(fill(2, Side.BUY, Decimal(10), Decimal(120)))
    position = positions.apply(fill(3, Side.SELL, Decimal(15), Decimal(130)))
    assert (position.realised, position.average_price) == (Decimal(350), Decimal(120))
    position = positions.apply(fill(4, Side.SELL, Decimal(9), Decimal(130)))
    assert (position.quantity, position.average_price, position.realised) == (Decimal(-4), Decimal(130), Decimal(400))
    assert position.lots == [Lot(Decimal(-4), Decimal(130))]


@given(st.integers(-20, 20).map(Decimal), st.integers(-20, 20).map(Decimal), st.sampled_from(list(CostBasis)))
def test_what_was_traded_elsewhere_goes_to_a_sleeve_and_earns_nothing(
    elsewhere: Decimal, held: Decimal, basis: CostBasis
) -> None:
    positions = Positions(basis)
    if held:
        positions.apply(fill(1, Side.BUY if held > 0 else Side.SELL, abs(held), Decimal(100)))
    there = VenuePosition(
        symbol="SPY", quantity=held + elsewhere, average_entry_price=Decimal(90), market_value=Decimal(0),
        current_price=Decimal(95), unrealised=Decimal(0),
    )  # fmt: skip
    positions.agree_with([there])
    parts = transfer_parts(positions.get("SPY", EXTERNAL_SLEEVE), positions.get("SPY", "test"))
    positions.book(Booking(booking_id="t", kind=TRANSFER, symbol="SPY", timestamp=1, parts=parts))
    sleeve, external = positions.get("SPY", "test"), positions.get("SPY", EXTERNAL_SLEEVE)
    assert positions.net("SPY") == held + elsewhere == sleeve.quantity + external.quantity
    assert sleeve.quantity * held >= 0, "nothing that one sleeve holds turns into its opposite"
    assert external.quantity == 0 or abs(elsewhere) > abs(held) > 0
    assert sleeve.realised == 0


def test_what_the_venue_has_beyond_our_fills_is_external() -> None:
    positions = Positions()
    positions.apply(fill(1, Side.BUY, Decimal(10), Decimal(100)))
    venue = [
        VenuePosition(
            symbol="SPY", quantity=Decimal(12), average_entry_price=Decimal(99), market_value=Decimal(1200),
            current_price=Decimal(100), unrealised=Decimal(0),
        )
    ]  # fmt: skip
    assert positions.agree_with(venue) == {"SPY": Decimal(2)}
    assert positions.get("SPY", EXTERNAL_SLEEVE).quantity == 2
    assert positions.agree_with(venue) == {}
    assert positions.agree_with([]) == {"SPY": Decimal(-12)}
    assert positions.net("SPY") == 0


@given(st.floats(-1, 1), prices, st.integers(-500, 500).map(Decimal), st.booleans())
def test_an_order_goes_towards_the_target_and_never_through_zero(
    weight: float, price: Decimal, held: Decimal, allow_short: bool
) -> None:
    plan = SleevePlan(name="test", capital=Decimal(10_000), allow_short=allow_short, minimum_notional=Decimal(50))
    request = order_for(plan, "SPY", weight, price, held, "")
    if request is None:
        return
    after = held + request.side.sign * request.quantity
    assert request.quantity == request.quantity.to_integral_value()
    assert held * after >= 0
    assert abs(after) * price <= max(plan.capital, abs(held) * price)
    assert request.reduces == (abs(after) < abs(held))
    if not allow_short and held >= 0:
        assert after >= 0


def test_a_small_change_is_not_worth_an_order_but_closing_is() -> None:
    plan = SleevePlan(name="test", capital=Decimal(1_000), minimum_notional=Decimal(50))
    assert order_for(plan, "SPY", 1.0, Decimal(10), Decimal(98), "") is None
    closing = order_for(plan, "SPY", 0.0, Decimal(10), Decimal(2), "")
    assert closing is not None
    assert closing.quantity == 2


@given(st.lists(st.integers(-50, 50), max_size=6))
def test_closing_brings_the_account_to_zero_and_never_through_it(quantities: list[int]) -> None:
    held = [Position(symbol="SPY", sleeve=f"s{number}", quantity=Decimal(q)) for number, q in enumerate(quantities)]
    net = sum((position.quantity for position in held), Decimal(0))
    own = {position.sleeve: position.quantity for position in held}
    left = net
    for request in closing_orders(held):
        assert request.reduces
        assert request.quantity <= abs(own[request.sleeve])
        left += request.side.sign * request.quantity
        assert left * net >= 0
    assert left == 0


def test_symbols_named_but_not_settled_are_left_as_they_are() -> None:
    positions = Positions()
    positions.apply(fill(1, Side.BUY, Decimal(10), Decimal(100)))
    assert positions.differences([]) == {"SPY": Decimal(-10)}
    assert positions.agree_with([], but={"SPY"}) == {}
    assert positions.net("SPY") == 10
