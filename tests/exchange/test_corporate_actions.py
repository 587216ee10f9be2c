"""Splits and dividends: positions, cash, orders and prices on the day, announcements, adjusted bars."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.historical.corporate_actions import CorporateActionsClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.requests import CorporateActionsRequest, StockBarsRequest
from alpaca.data.timeframe import TimeFrame
from alpaca.trading.client import TradingClient
from alpaca.trading.requests import GetCorporateAnnouncementsRequest

from engine.domain.market import NANOSECONDS
from engine.domain.orders import OrderStatus
from engine.exchange.corporate import Calendar, CorporateAction, Kind
from engine.exchange.desk import Desk
from engine.exchange.prices.synthetic import SyntheticPrices
from engine.exchange.server import ExchangeOptions, ExchangeServer
from engine.exchange.sessions import AlwaysOpen, at_new_york, new_york
from engine.exchange.ticket import read_order
from engine.exchange.venue import Venue
from tests.exchange.conftest import call
from tests.exchange.test_trading_client import OrderSide, limit, market
from tests.waiting import until_async

MONDAY, TUESDAY = date(2026, 11, 16), date(2026, 11, 17)
MIDNIGHT = at_new_york(TUESDAY, datetime.min.time())
START = MIDNIGHT - 3 * NANOSECONDS


def action(kind: Kind, symbol: str = "IBM", **fields: Any) -> CorporateAction:
    dates = {"declared": MONDAY, "ex_date": TUESDAY, "payable_date": TUESDAY}
    return CorporateAction(action_id=f"{kind}-{symbol}", kind=kind, symbol=symbol, **(dates | fields))


class Market:
    """A venue three seconds before the end of its day, and a desk in it."""

    def __init__(self) -> None:
        source = SyntheticPrices(("IBM", "SPY"), 1, START, recent=1)
        self.venue = Venue(source, AlwaysOpen(), seed=1, model=None)
        self.desk: Desk = self.venue.desk("account", START)

    def trade(self, side: str, quantity: str) -> None:
        body = {"symbol": "IBM", "qty": quantity, "side": side, "type": "market", "time_in_force": "day"}
        target = Decimal(quantity) * (1 if side == "buy" else -1) + self.held
        self.venue.submit(self.desk, read_order(body, self.venue.catalogue), self.venue.now)
        while self.held != target:
            self.venue.advance(self.venue.now + NANOSECONDS // 10)
        assert self.venue.now < MIDNIGHT

    def end_day(self) -> None:
        self.venue.advance(MIDNIGHT)

    @property
    def held(self) -> Decimal:
        return self.desk.account.quantity("IBM")

    @property
    def equity(self) -> Decimal:
        return self.desk.account.equity(self.venue.price_of)

    @property
    def kinds(self) -> list[str]:
        return [activity.kind for activity in self.desk.account.activities if activity.kind != "FILL"]


@pytest.fixture
def house() -> Market:
    return Market()


def test_a_split_divides_the_shares_and_their_price_when_its_day_begins(house: Market) -> None:
    house.trade("buy", "10")
    house.venue.registrar.announce(action(Kind.FORWARD_SPLIT, new_rate=Decimal(4)))
    paid = house.desk.account.holdings["IBM"].average_price
    house.venue.advance(MIDNIGHT - 1)
    assert house.held == 10
    before, price = house.equity, house.venue.price_of("IBM")
    house.end_day()
    assert (house.held, house.kinds) == (40, ["SPLIT"])
    assert house.desk.account.holdings["IBM"].average_price == paid / 4
    assert house.venue.price_of("IBM") == pytest.approx(price / 4, abs=Decimal("0.01"))
    assert house.equity == pytest.approx(before, abs=Decimal(1))


def test_prices_go_on_at_the_new_level(house: Market) -> None:
    house.venue.advance(MIDNIGHT - 1)
    before = house.venue.price_of("IBM"), house.venue.price_of("SPY")
    house.venue.registrar.announce(action(Kind.REVERSE_SPLIT, old_rate=Decimal(8)))
    house.venue.advance(MIDNIGHT + 60 * NANOSECONDS)
    after = house.venue.price_of("IBM"), house.venue.price_of("SPY")
    assert float(after[0] / before[0]) == pytest.approx(8, rel=0.02)
    assert float(after[1] / before[1]) == pytest.approx(1, rel=0.02)
    quote = house.venue.tape.symbols["IBM"].quote
    assert quote is not None
    assert 0 < quote.bid_price < quote.ask_price


def test_a_split_cancels_orders_in_its_symbol_and_in_no_other(house: Market) -> None:
    order = {"qty": "1", "side": "buy", "type": "limit", "time_in_force": "gtc", "limit_price": "90"}
    exits = {"take_profit": {"limit_price": "900"}, "stop_loss": {"stop_price": "80"}, "order_class": "bracket"}
    sent = [
        house.venue.submit(house.desk, read_order({**order, **more}, house.venue.catalogue), house.venue.now)
        for more in ({"symbol": "IBM", **exits}, {"symbol": "SPY"})
    ]
    house.venue.registrar.announce(action(Kind.FORWARD_SPLIT, new_rate=Decimal(4)))
    house.end_day()
    (left,) = house.desk.open.values()
    assert left.order_id == sent[1].order_id
    cancelled = house.desk.find(sent[0].order_id)
    assert cancelled is not None
    assert [leg.status for leg in (cancelled, *house.desk.legs(cancelled))] == [OrderStatus.CANCELED] * 3


@pytest.mark.parametrize(
    ("side", "in_lieu", "held", "kinds"),
    [
        ("buy", False, "3.333333333", ["SPLIT"]),
        ("buy", True, "3", ["SPLIT", "CIL"]),
        ("sell", False, "-3", ["SPLIT", "CIL"]),
    ],
)
def test_fractions_are_kept_or_paid_out_and_shorts_have_none(
    house: Market, side: str, in_lieu: bool, held: str, kinds: list[str]
) -> None:
    house.trade(side, "10")
    house.venue.registrar.announce(action(Kind.REVERSE_SPLIT, old_rate=Decimal(3), cash_in_lieu=in_lieu))
    house.venue.advance(MIDNIGHT - 1)
    before = house.equity
    house.end_day()
    assert (house.held, house.kinds) == (Decimal(held), kinds)
    assert house.equity == pytest.approx(before, abs=Decimal(1))


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_dividend_is_paid_to_who_held_the_day_before_and_by_who_was_short(house: Market, side: str) -> None:
    house.trade(side, "10")
    payable = TUESDAY + timedelta(days=1)
    house.venue.registrar.announce(action(Kind.CASH_DIVIDEND, cash=Decimal("1.68"), payable_date=payable))
    house.venue.advance(MIDNIGHT - 1)
    cash, price = house.desk.account.cash, house.venue.price_of("IBM")
    house.end_day()
    assert house.venue.price_of("IBM") == pytest.approx(price - Decimal("1.68"), abs=Decimal("0.01"))
    assert (house.desk.account.cash, house.kinds) == (cash, [])
    house.venue.registrar.act(at_new_york(payable, datetime.min.time()))
    assert house.desk.account.cash == cash + (Decimal("16.8") if side == "buy" else Decimal("-16.8"))
    assert house.kinds == ["DIV"]
    house.venue.registrar.act(MIDNIGHT + 9 * 86_400 * NANOSECONDS)
    assert house.kinds == ["DIV"]


def test_the_calendar_knows_what_is_due_next() -> None:
    calendar = Calendar([action(Kind.FORWARD_SPLIT, new_rate=Decimal(2)), action(Kind.CASH_DIVIDEND, "SPY")])
    assert calendar.next_due == MIDNIGHT
    assert {due.symbol for due in calendar.due(MIDNIGHT)} == {"IBM", "SPY"}
    assert calendar.due(MIDNIGHT - 1) == []


class Client:
    """The exchange with alpaca-py, and its own route for corporate actions."""

    def __init__(self, server: ExchangeServer) -> None:
        self.server = server
        self.trading = TradingClient("key", "secret", url_override=server.url)
        self.bars = StockHistoricalDataClient("key", "secret", url_override=server.url)
        self.actions = CorporateActionsClient("key", "secret", url_override=server.url)
        for client in (self.trading, self.bars, self.actions):
            client._session.trust_env = False

    async def schedule(self, **body: Any) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.server.url}/paddock/corporate-actions", json=body) as answer,
        ):
            return await answer.json()

    def close(self) -> None:
        for client in (self.trading, self.bars, self.actions):
            client._session.close()


@pytest.fixture
async def client(exchange: ExchangeServer) -> AsyncIterator[Client]:
    found = Client(exchange)
    yield found
    found.close()


async def test_a_split_of_today_takes_effect_at_once(client: Client) -> None:
    await call(client.trading.submit_order, market("AAPL", qty=10))
    resting = await call(client.trading.submit_order, limit(1.0, "AAPL"))
    before = await call(client.trading.get_open_position, "AAPL")
    told = await client.schedule(type="forward_split", symbol="AAPL", new_rate=2)

    async def divided() -> Any:
        found = await call(client.trading.get_open_position, "AAPL")
        return found if found.qty == "20" else None

    after = await until_async(divided)
    assert float(after.avg_entry_price) == pytest.approx(float(before.avg_entry_price) / 2, abs=1e-5)
    assert float(after.current_price) == pytest.approx(float(before.current_price) / 2, rel=0.01)
    assert float(after.lastday_price) == pytest.approx(float(before.lastday_price) / 2, rel=0.001)
    assert float(after.cost_basis) == pytest.approx(float(before.cost_basis), abs=0.01)
    assert (await call(client.trading.get_order_by_id, resting.id)).status == "canceled"
    (split,) = await call(client.trading.get, "/account/activities/SPLIT")
    assert (split["symbol"], split["qty"], split["description"]) == ("AAPL", "10", "2 for 1 forward split")
    assert told["ex_date"] == split["date"]


@pytest.mark.parametrize(("frame", "back"), [(TimeFrame.Minute, timedelta(days=2)), (TimeFrame.Day, timedelta(days=9))])
async def test_bars_before_a_split_and_a_dividend_are_adjusted_as_they_are_asked_for(
    client: Client, frame: TimeFrame, back: timedelta
) -> None:
    now = datetime.fromtimestamp(client.server.venue.now / 1e9, UTC)
    await client.schedule(type="forward_split", symbol="AAPL", new_rate=4)
    await client.schedule(type="cash_dividend", symbol="AAPL", cash=6.7)

    async def effective() -> bool:
        return all(found.effective_at for found in client.server.venue.registrar.calendar)

    await until_async(effective)
    _, dividend = client.server.venue.registrar.calendar

    async def first(adjustment: str) -> Any:
        asked = StockBarsRequest(
            symbol_or_symbols="AAPL", timeframe=frame, start=now - back, end=now, adjustment=adjustment, limit=5
        )
        return (await call(client.bars.get_stock_bars, asked))["AAPL"][0]

    raw, split, paid, both = [await first(name) for name in ("raw", "split", "dividend", "all")]
    assert dividend.factor == pytest.approx(0.9, abs=0.02)
    assert split.close == pytest.approx(raw.close / 4, abs=0.001)
    assert split.volume == pytest.approx(raw.volume * 4)
    assert paid.close == pytest.approx(raw.close * dividend.factor, rel=1e-4)
    assert paid.volume == raw.volume
    assert both.close == pytest.approx(raw.close / 4 * dividend.factor, rel=1e-4)
    assert both.timestamp == raw.timestamp


@pytest.mark.filterwarnings("ignore:get_corporate_announcement:DeprecationWarning")
async def test_announcements_are_found_by_type_date_symbol_and_id(client: Client) -> None:
    today = new_york(client.server.venue.now).date()
    later = today + timedelta(days=5)
    split = await client.schedule(type="reverse_split", symbol="SPY", old_rate=10, ex_date=str(later))
    paid = await client.schedule(
        type="cash_dividend", symbol="AAPL", cash="0.25", ex_date=str(later), payable_date=str(later + timedelta(2))
    )

    async def listed(*types: str, **fields: Any) -> list[str]:
        request = GetCorporateAnnouncementsRequest(ca_types=list(types), **{"since": today, "until": later} | fields)
        return [str(found.id) for found in await call(client.trading.get_corporate_announcements, request)]

    assert await listed("dividend", "split") == [split["action_id"], paid["action_id"]]
    assert await listed("dividend") == [paid["action_id"]]
    assert await listed("split", symbol="AAPL") == await listed("merger", "spinoff") == []
    assert await listed("dividend", date_type="payable_date") == []
    assert await listed("dividend", date_type="payable_date", until=later + timedelta(2)) == [paid["action_id"]]
    one = await call(client.trading.get_corporate_announcement_by_id, split["action_id"])
    assert (one.ca_sub_type.value, one.old_rate, one.new_rate, one.ex_date) == ("reverse_split", 10.0, 1.0, later)
    with pytest.raises(APIError) as missing:
        await call(client.trading.get_corporate_announcement_by_id, "00000000-0000-4000-8000-000000000000")
    assert missing.value.status_code == 404


async def test_the_data_client_groups_actions_by_type(client: Client) -> None:
    today = new_york(client.server.venue.now).date()
    await client.schedule(type="reverse_split", symbol="SPY", old_rate=10, ex_date=str(today + timedelta(days=5)))
    await client.schedule(type="cash_dividend", symbol="AAPL", cash="0.25", ex_date=str(today + timedelta(days=6)))
    await client.schedule(type="forward_split", symbol="AAPL", new_rate=3, old_rate=2, ex_date=str(today))
    span = {"start": today, "end": today + timedelta(days=9)}
    found = (await call(client.actions.get_corporate_actions, CorporateActionsRequest(**span))).data
    assert {name: len(rows) for name, rows in found.items()} == {
        "forward_splits": 1,
        "reverse_splits": 1,
        "cash_dividends": 1,
    }
    assert (found["forward_splits"][0].new_rate, found["cash_dividends"][0].rate) == (3.0, 0.25)
    request = CorporateActionsRequest(**span, symbols=["AAPL"], types=["cash_dividend"])
    assert list((await call(client.actions.get_corporate_actions, request)).data) == ["cash_dividends"]


@pytest.mark.parametrize(
    "body",
    [
        {"type": "spin_off", "symbol": "SPY"},
        {"type": "forward_split", "symbol": "SPY"},
        {"type": "forward_split", "symbol": "SPY", "new_rate": 1, "old_rate": 2},
        {"type": "reverse_split", "symbol": "SPY", "old_rate": "NaN"},
        {"type": "cash_dividend", "symbol": "SPY", "cash": -1},
        {"type": "cash_dividend", "symbol": "BTC/USD", "cash": 1},
        {"type": "cash_dividend", "symbol": ["SPY"], "cash": 1},
        {"type": "cash_dividend", "symbol": "SPY", "cash": 1, "ex_date": "soon"},
        {"type": "cash_dividend", "symbol": "SPY", "cash": 1, "ex_date": 5},
        {"type": "cash_dividend", "symbol": "SPY", "cash": 1, "new_rate": 2},
    ],
)
async def test_actions_that_make_no_sense_are_refused(client: Client, body: dict[str, Any]) -> None:
    assert (await client.schedule(**body))["code"] in (40010001, 42210000)
    assert len(client.server.venue.registrar.calendar) == 0


async def test_actions_survive_a_restart_and_prices_stay_where_they_led(tmp_path: Path) -> None:
    options = ExchangeOptions(symbols=("AAPL",), state=tmp_path, partial_fills=0.0, recent_minutes=1)
    async with ExchangeServer(options) as server:
        client = Client(server)
        await call(client.trading.submit_order, market("AAPL", qty=10))
        await client.schedule(type="forward_split", symbol="AAPL", new_rate=10)

        async def divided() -> Any:
            return (await call(client.trading.get_open_position, "AAPL")).qty == "100"

        await until_async(divided)
        later = new_york(server.venue.now).date() + timedelta(days=3)
        await client.schedule(type="cash_dividend", symbol="AAPL", cash=1, ex_date=str(later))
        before = await call(client.trading.get_open_position, "AAPL")
        client.close()
    async with ExchangeServer(options) as server:
        client = Client(server)
        after = await call(client.trading.get_open_position, "AAPL")
        assert (after.qty, after.avg_entry_price) == (before.qty, before.avg_entry_price)
        assert float(after.current_price) == pytest.approx(float(before.current_price), rel=0.01)
        split, dividend = server.venue.registrar.calendar
        assert (split.effective_at > 0, dividend.effective_at) == (True, 0)
        await call(client.trading.submit_order, market("AAPL", qty=100, side=OrderSide.SELL))

        async def sold() -> bool:
            return await call(client.trading.get_all_positions) == []

        await until_async(sold)
        client.close()


async def test_a_recording_goes_on_at_the_price_that_a_split_makes(shared_data: Path) -> None:
    options = ExchangeOptions(symbols=("AIG",), replay=shared_data, speed=60.0, partial_fills=0.0)
    async with ExchangeServer(options) as server:
        client = Client(server)
        await call(client.trading.submit_order, market("AIG", qty=10))

        async def held(quantity: str) -> Any:
            found = await call(client.trading.get_all_positions)
            return found[0] if found and found[0].qty == quantity else None

        before = await until_async(lambda: held("10"))
        await client.schedule(type="reverse_split", symbol="AIG", old_rate=5)
        after = await until_async(lambda: held("2"))
        assert float(after.current_price) == pytest.approx(5 * float(before.current_price), rel=0.01)
        now = server.venue.now

        async def printed() -> bool:
            trade = server.venue.tape.symbols["AIG"].trade
            return trade is not None and trade.timestamp > now

        await until_async(printed)
        later = await held("2")
        assert float(later.current_price) == pytest.approx(5 * float(before.current_price), rel=0.01)
        client.close()
