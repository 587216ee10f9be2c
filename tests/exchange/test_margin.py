"""Cash and margin accounts, Regulation T and maintenance, and what may be sold short."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient
from alpaca.trading.requests import GetAssetsRequest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.domain.orders import OrderType, Side, TimeInForce
from engine.exchange import rules
from engine.exchange.accounts import TradingAccount
from engine.exchange.assets import Catalogue
from engine.exchange.margin import initial_rate, maintenance_per_unit
from engine.exchange.refusals import Refusal
from engine.exchange.rules import reserve
from engine.exchange.server import ExchangeOptions, ExchangeServer
from engine.exchange.ticket import Ticket
from tests.exchange.conftest import call
from tests.exchange.test_accounts import account, execution
from tests.exchange.test_trading_client import OrderSide, limit, market, refusal

CATALOGUE = Catalogue(("SPY", "AAPL", "BTC/USD"))
Prices = dict[str, Decimal]


def ticket(symbol: str, side: Side, quantity: str = "1") -> Ticket:
    asset = CATALOGUE.find(symbol)
    assert asset is not None
    return Ticket(
        asset=asset,
        side=side,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.GTC if asset.is_crypto else TimeInForce.DAY,
        quantity=Decimal(quantity),
    )


def send(ledger: TradingAccount, prices: Prices, symbol: str, side: Side, quantity: str, order: str = "o") -> None:
    """Hold what the order needs. Raises Refusal."""
    asked = ticket(symbol, side, quantity)
    ledger.hold(order, reserve(asked, Decimal(quantity), ledger, prices.__getitem__, prices[symbol]))


@pytest.mark.parametrize(
    ("symbol", "price", "short", "per_unit"),
    [
        ("SPY", "100", False, "30"),
        ("SPY", "2.49", False, "2.49"),
        ("BTC/USD", "100", False, "100"),
        ("SPY", "100", True, "30"),
        ("SPY", "10", True, "5"),
        ("SPY", "4", True, "4"),
        ("SPY", "1", True, "2.5"),
    ],
)
def test_maintenance_is_as_alpaca_documents_it(symbol: str, price: str, short: bool, per_unit: str) -> None:
    assert maintenance_per_unit(symbol, Decimal(price), short=short) == Decimal(per_unit)


def test_half_of_a_new_position_is_own_money_and_more_where_maintenance_asks_for_more() -> None:
    assert initial_rate("SPY", Decimal(100), short=False) == Decimal("0.5")
    assert initial_rate("SPY", Decimal(2), short=False) == 1
    assert initial_rate("SPY", Decimal(1), short=True) == Decimal("2.5")
    assert initial_rate("BTC/USD", Decimal(100), short=False) == 1


def test_a_cash_account_borrows_nothing_and_sells_nothing_short() -> None:
    ledger, prices = account(), {"SPY": Decimal(100)}
    ledger.configuration["max_margin_multiplier"] = "1"
    assert ledger.buying_power(prices.__getitem__) == 100_000
    with pytest.raises(Refusal, match="not allowed to short"):
        send(ledger, prices, "SPY", Side.SELL, "1")
    send(ledger, prices, "SPY", Side.BUY, "900")
    with pytest.raises(Refusal, match="insufficient buying power"):
        send(ledger, prices, "SPY", Side.BUY, "100", "p")


def test_a_small_account_has_no_margin() -> None:
    ledger = TradingAccount("id", "PA1", 0, Decimal(1_999))
    assert (ledger.standing(lambda _: Decimal(1)).multiplier, ledger.buying_power(lambda _: Decimal(1))) == (1, 1_999)


def test_four_is_taken_for_two() -> None:
    ledger = account()
    ledger.configuration["max_margin_multiplier"] = "4"
    assert ledger.buying_power(lambda _: Decimal(1)) == 200_000


def test_coins_that_are_on_order_bind_all_of_their_value() -> None:
    ledger, prices = account(), {"SPY": Decimal(100), "BTC/USD": Decimal(50_000)}
    send(ledger, prices, "BTC/USD", Side.BUY, "1")
    assert ledger.buying_power(prices.__getitem__) == 200_000 - 2 * Decimal("51500")
    with pytest.raises(Refusal, match="insufficient buying power"):
        send(ledger, prices, "SPY", Side.BUY, "1000", "p")


def test_the_proceeds_of_a_short_sale_buy_no_coins() -> None:
    ledger, prices = account(), {"SPY": Decimal(100), "BTC/USD": Decimal(50_000)}
    ledger.apply(execution(Side.SELL, "1500", "100"))
    with pytest.raises(Refusal, match="insufficient balance"):
        send(ledger, prices, "BTC/USD", Side.BUY, "1")


def test_below_maintenance_exposure_is_refused_and_closing_is_not() -> None:
    ledger, prices = account(), {"SPY": Decimal(100), "AAPL": Decimal(10), "BTC/USD": Decimal(10)}
    ledger.apply(execution(Side.BUY, "2000", "100"))
    prices["SPY"] = Decimal(70)
    standing = ledger.standing(prices.__getitem__)
    assert (standing.equity, standing.maintenance) == (40_000, 42_000)
    for symbol, side in (("AAPL", Side.BUY), ("AAPL", Side.SELL), ("BTC/USD", Side.BUY)):
        with pytest.raises(Refusal) as refused:
            send(ledger, prices, symbol, side, "1", "p")
        assert refused.value.code == 40310000
    send(ledger, prices, "SPY", Side.SELL, "2000", "q")


trades = st.tuples(
    st.sampled_from(["SPY", "AAPL", "BTC/USD"]), st.sampled_from(list(Side)), st.integers(1, 2_000), st.booleans()
)
moves = st.tuples(st.sampled_from(["SPY", "AAPL", "BTC/USD"]), st.integers(60, 160))


@settings(max_examples=200, deadline=None)
@given(st.lists(trades | moves, max_size=25), st.sampled_from(["1", "2", "4"]))
def test_no_order_is_taken_that_could_make_exposure_exceed_the_multiple_of_equity(
    steps: list[tuple[str, Side, int, bool] | tuple[str, int]], multiplier: str
) -> None:
    ledger = account()
    ledger.configuration["max_margin_multiplier"] = multiplier
    prices = {"SPY": Decimal(100), "AAPL": Decimal(100), "BTC/USD": Decimal(100)}
    for number, step in enumerate(steps):
        if len(step) == 2:
            prices[step[0]] *= Decimal(step[1]) / 100
            continue
        symbol, side, quantity, fills = step
        closes = ledger.quantity(symbol) * side.sign < 0
        try:
            send(ledger, prices, symbol, side, str(quantity), str(number))
        except Refusal:
            continue
        if not closes:
            check_leverage(ledger, prices, 1 if multiplier == "1" else 2)
        if fills:
            ledger.apply(execution(side, str(quantity), str(prices[symbol]), symbol=symbol, order=str(number)))
            ledger.release(str(number))


def check_leverage(ledger: TradingAccount, prices: Prices, multiplier: int) -> None:
    """Everything that is held and everything that is on order, against what the account is worth."""
    equity = ledger.equity(prices.__getitem__)
    exposure = sum((abs(h.quantity) * prices[h.symbol] for h in ledger.holdings.values()), ledger.held_value)
    assume(equity > 0)
    assert exposure <= multiplier * equity


@pytest.fixture
async def lender() -> AsyncIterator[ExchangeServer]:
    options = ExchangeOptions(
        symbols=("SPY", "AAPL", "IBM", "BTC/USD"),
        not_shortable=("AAPL",),
        hard_to_borrow=("IBM",),
        partial_fills=0.0,
        recent_minutes=1,
    )
    async with ExchangeServer(options) as server:
        yield server


async def test_only_what_is_easy_to_borrow_is_sold_short(lender: ExchangeServer) -> None:
    client = TradingClient("key", "secret", url_override=lender.url)
    client._session.trust_env = False
    assets = {asset.symbol: asset for asset in await call(client.get_all_assets, GetAssetsRequest())}
    shown = {symbol: (asset.shortable, asset.easy_to_borrow) for symbol, asset in assets.items()}
    assert shown == {"SPY": (True, True), "AAPL": (False, False), "IBM": (True, False), "BTC/USD": (False, False)}
    for symbol in ("AAPL", "IBM"):
        with pytest.raises(APIError) as refused:
            await call(client.submit_order, market(symbol, side=OrderSide.SELL))
        assert (refused.value.status_code, refused.value.code) == (422, 42210000)
        assert refused.value.message == f'asset "{symbol}" cannot be sold short'
    await call(client.submit_order, market("AAPL", qty=1))
    await call(client.submit_order, market("AAPL", qty=1, side=OrderSide.SELL))
    await call(client.submit_order, market("SPY", side=OrderSide.SELL))
    client._session.close()


def test_unknown_symbols_are_lent_by_their_names_alone() -> None:
    names = [f"{a}{b}{c}" for a in "ABCDEFGH" for b in "ABCDEF" for c in "ABCDEF"]
    lent = [asset.easy_to_borrow for asset in Catalogue(names)]
    assert lent == [asset.easy_to_borrow for asset in Catalogue(names)]
    assert 0.8 < sum(lent) / len(lent) < 0.97


async def test_an_account_has_a_limit_of_open_orders(trading: TradingClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "OPEN_LIMIT", 2)
    first = await call(trading.submit_order, limit(1.0))
    await call(trading.submit_order, limit(1.0))
    assert await refusal(trading, limit(1.0)) == (403, 40310000)
    await call(trading.cancel_order_by_id, first.id)
    await call(trading.submit_order, limit(1.0))


async def test_the_account_shows_its_margin(trading: TradingClient) -> None:
    order = await call(trading.submit_order, market(qty=100))
    paid = 100 * Decimal((await call(trading.get_order_by_id, order.id)).filled_avg_price)
    found = await call(trading.get_account)
    value = Decimal(found.long_market_value)
    assert abs(value / paid - 1) < Decimal("0.01")
    assert Decimal(found.initial_margin) == round(value / 2, 2)
    assert Decimal(found.maintenance_margin) == pytest.approx(value * Decimal("0.3"), abs=Decimal("0.01"))
    assert Decimal(found.regt_buying_power) == pytest.approx(2 * Decimal(found.equity) - value, abs=Decimal("0.02"))
    assert (found.multiplier, found.shorting_enabled) == ("2", True)


async def test_a_client_can_make_its_account_a_cash_account(trading: TradingClient) -> None:
    configuration = await call(trading.get_account_configurations)
    configuration.max_margin_multiplier = "1"
    await call(trading.set_account_configurations, configuration)
    found = await call(trading.get_account)
    assert (found.multiplier, found.buying_power, found.shorting_enabled) == ("1", "100000", False)
    assert await refusal(trading, market(side=OrderSide.SELL)) == (403, 40310000)
    assert await refusal(trading, limit(100.0, qty=1001)) == (403, 40310000)
    await call(trading.submit_order, limit(100.0, qty=1000))
    assert (await call(trading.get_account)).buying_power == "0"
