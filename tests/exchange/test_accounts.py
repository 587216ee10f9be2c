"""Cash, positions by average cost, holds and buying power."""

from __future__ import annotations

from decimal import Decimal

from engine.domain.orders import Side
from engine.exchange.accounts import Hold, TradingAccount
from engine.exchange.activities import Execution


def execution(
    side: Side, quantity: str, price: str, *, symbol: str = "SPY", fee: str = "0", order: str = "o"
) -> Execution:
    return Execution(
        activity_id="1",
        execution_id="e",
        order_id=order,
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal(fee),
        cumulative=Decimal(quantity),
        leaves=Decimal(0),
        timestamp=1,
    )


def account() -> TradingAccount:
    return TradingAccount("id", "PA1", 0)


def test_buying_costs_cash_and_averages_the_price() -> None:
    ledger = account()
    ledger.apply(execution(Side.BUY, "10", "100"))
    ledger.apply(execution(Side.BUY, "30", "104", fee="1"))
    assert ledger.cash == Decimal(100_000) - 1000 - 3120 - 1
    assert ledger.holdings["SPY"].average_price == Decimal(103)
    assert ledger.equity(lambda _: Decimal(103)) == Decimal(99_999)


def test_selling_realises_against_the_average_and_a_flat_position_is_gone() -> None:
    ledger = account()
    ledger.apply(execution(Side.BUY, "10", "100"))
    ledger.apply(execution(Side.SELL, "4", "110"))
    assert ledger.holdings["SPY"].realised == Decimal(40)
    assert ledger.holdings["SPY"].average_price == Decimal(100)
    assert ledger.apply(execution(Side.SELL, "6", "90")) == 0
    assert "SPY" not in ledger.holdings
    assert ledger.cash == Decimal(100_000) + 40 - 60


def test_a_short_sale_brings_cash_and_a_cover_settles_it() -> None:
    ledger = account()
    assert ledger.apply(execution(Side.SELL, "10", "100")) == -10
    assert ledger.cash == Decimal(101_000)
    assert ledger.equity(lambda _: Decimal(90)) == Decimal(100_100)
    ledger.apply(execution(Side.BUY, "10", "90"))
    assert ledger.cash == Decimal(100_100)


def test_a_fill_through_zero_starts_a_position_at_its_own_price() -> None:
    ledger = account()
    ledger.apply(execution(Side.BUY, "5", "100"))
    assert ledger.apply(execution(Side.SELL, "8", "110")) == -3
    holding = ledger.holdings["SPY"]
    assert (holding.quantity, holding.average_price, holding.realised) == (Decimal(-3), Decimal(110), Decimal(50))


def test_buying_power_is_twice_the_free_equity_and_orders_hold_their_share() -> None:
    ledger = account()
    price = lambda _: Decimal(100)  # noqa: E731
    assert ledger.buying_power(price) == Decimal(200_000)
    ledger.hold("o", Hold(symbol="SPY", side=Side.BUY, quantity=Decimal(100), unit_value=Decimal(100)))
    assert ledger.buying_power(price) == Decimal(190_000)
    ledger.apply(execution(Side.BUY, "100", "100"))
    ledger.release("o")
    assert ledger.buying_power(price) == Decimal(190_000)
    ledger.apply(execution(Side.SELL, "100", "100", order="p"))
    assert ledger.buying_power(price) == Decimal(200_000)


def test_a_short_position_binds_buying_power_as_a_long_one_does() -> None:
    ledger = account()
    ledger.apply(execution(Side.SELL, "100", "100"))
    assert ledger.buying_power(lambda _: Decimal(100)) == Decimal(190_000)
    assert ledger.own_money(lambda _: Decimal(100)) == Decimal(100_000)


def test_crypto_is_paid_with_own_money() -> None:
    ledger = account()
    ledger.apply(execution(Side.BUY, "1", "50000", symbol="BTC/USD"))
    assert ledger.buying_power(lambda _: Decimal(50_000)) == Decimal(100_000)
    assert ledger.own_money(lambda _: Decimal(50_000)) == Decimal(50_000)


def test_closing_orders_hold_the_quantity_they_would_close() -> None:
    ledger = account()
    ledger.apply(execution(Side.BUY, "100", "100"))
    ledger.hold("s", Hold(symbol="SPY", side=Side.SELL, quantity=Decimal(60), unit_value=Decimal(0), closes=True))
    assert ledger.available("SPY") == 40
    ledger.apply(execution(Side.SELL, "20", "100", order="s"))
    assert ledger.available("SPY") == 40
    ledger.release("s")
    assert ledger.available("SPY") == 80
