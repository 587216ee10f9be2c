"""Whatever the orders and the market do, nothing is filled twice, through its limit, or out of thin air."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.market import Bar, Quote, Timeframe, Trade
from engine.domain.orders import OrderType, Side, TimeInForce
from engine.exchange.accounts import START_CASH, TradingAccount
from engine.exchange.activities import Execution
from engine.exchange.fills import AlpacaFill, BacktestFill, FillModel, RealisticFill
from engine.exchange.matching import MatchingEngine
from engine.exchange.orders import NewOrder, Update, UpdateKind
from engine.exchange.phases import Phase

CENTS = st.integers(9_800, 10_200)
Step = dict[str, object]
Steps = st.SearchStrategy[Step]
SYMBOLS = st.sampled_from(["SPY", "BTC/USD"])

orders: Steps = st.builds(
    dict,
    action=st.just("submit"),
    symbol=SYMBOLS,
    side=st.sampled_from(list(Side)),
    quantity=st.integers(1, 400) | st.decimals("0.000000001", "50", places=9),
    type=st.sampled_from(list(OrderType)),
    time_in_force=st.sampled_from(list(TimeInForce)),
    limit=CENTS,
    stop=CENTS,
    trail=st.integers(1, 100),
)
quotes: Steps = st.builds(
    dict, action=st.just("quote"), symbol=SYMBOLS, bid=CENTS, spread=st.integers(1, 5), size=st.integers(0, 300)
)
trades: Steps = st.builds(dict, action=st.just("trade"), symbol=SYMBOLS, price=CENTS)
bars: Steps = st.builds(
    dict,
    action=st.just("bar"),
    symbol=SYMBOLS,
    prices=st.tuples(CENTS, CENTS, CENTS, CENTS),
    volume=st.integers(0, 500),
)
others: Steps = st.builds(dict, action=st.sampled_from(["cancel", "replace"]), pick=st.integers(0, 50), limit=CENTS)
turns: Steps = st.builds(dict, action=st.just("turn"), phase=st.sampled_from(list(Phase)))
auctions: Steps = st.builds(
    dict,
    action=st.just("auction"),
    symbol=SYMBOLS,
    kind=st.sampled_from([TimeInForce.OPG, TimeInForce.CLS]),
    price=CENTS | st.just(0),
    size=st.integers(0, 300),
)
halts: Steps = st.builds(dict, action=st.sampled_from(["halt", "resume"]), symbol=SYMBOLS)
steps = st.lists(orders | quotes | trades | bars | others | turns | auctions | halts, max_size=60)
models = st.sampled_from(
    [
        AlpacaFill(partial_probability=0.5),
        BacktestFill(slippage_bps=Decimal(7), commission_per_share=Decimal("0.01"), participation=Decimal("0.2")),
        BacktestFill(commission_percent=Decimal("0.1")),
        RealisticFill(latency=2, coefficient=50.0),
    ]
)


def cents(value: int) -> Decimal:
    return Decimal(value) / 100


def new_order(step: Step, number: int) -> NewOrder:
    type_ = OrderType(str(step["type"]))
    limited = type_ in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    return NewOrder(
        order_id=str(number),
        symbol=str(step["symbol"]),
        side=Side(str(step["side"])),
        quantity=Decimal(str(step["quantity"])),
        type=type_,
        time_in_force=TimeInForce(str(step["time_in_force"])),
        limit_price=cents(int(str(step["limit"]))) if limited else None,
        stop_price=cents(int(str(step["stop"]))) if type_ in (OrderType.STOP, OrderType.STOP_LIMIT) else None,
        trail_price=cents(int(str(step["trail"]))) if type_ is OrderType.TRAILING_STOP else None,
    )


def play(script: list[Step], model: FillModel, seed: int) -> list[Update]:
    engine = MatchingEngine(model, seed=seed)
    tape: list[Update] = []
    for number, step in enumerate(script, 1):
        tape += act(engine, step, number)
    return tape


def act(engine: MatchingEngine, step: Step, number: int) -> list[Update]:
    symbol = str(step.get("symbol"))
    match step["action"]:
        case "submit":
            return engine.submit(new_order(step, number), number)
        case "quote":
            bid, size = int(str(step["bid"])), float(str(step["size"]))
            ask = bid + int(str(step["spread"]))
            return engine.on_quote(Quote(symbol, bid / 100, size, ask / 100, size, number))
        case "trade":
            return engine.on_trade(Trade(symbol, int(str(step["price"])) / 100, 10, number))
        case "bar":
            a, b, c, d = (price / 100 for price in step["prices"])  # type: ignore[attr-defined]
            volume = float(str(step["volume"]))
            return engine.on_bar(
                Bar(symbol, Timeframe.MINUTE_1, number, a, max(a, b, c, d), min(a, b, c, d), d, volume)
            )
        case "turn":
            return engine.turn(Phase(str(step["phase"])), number)
        case "auction":
            kind = TimeInForce(str(step["kind"]))
            return engine.auction(symbol, kind, int(str(step["price"])) / 100, float(str(step["size"])), number)
        case "halt" | "resume":
            (engine.halt if step["action"] == "halt" else engine.resume)(symbol)
            return engine.advance(number)
        case _:
            return change(engine, step, number)


def change(engine: MatchingEngine, step: Step, number: int) -> list[Update]:
    working = list(engine)
    if not working:
        return []
    chosen = working[int(str(step["pick"])) % len(working)].order
    if step["action"] == "cancel":
        return engine.cancel(chosen.order_id, number)
    replacement = NewOrder(
        order_id=f"r{number}",
        symbol=chosen.symbol,
        side=chosen.side,
        quantity=chosen.quantity,
        type=OrderType.LIMIT,
        limit_price=cents(int(str(step["limit"]))),
    )
    return engine.replace(chosen.order_id, replacement, number)


@settings(max_examples=150, deadline=None)
@given(steps, models, st.integers(0, 5))
def test_no_order_is_overfilled_filled_through_its_limit_or_filled_after_its_end(
    script: list[Step], model: FillModel, seed: int
) -> None:
    filled: dict[str, Decimal] = defaultdict(Decimal)
    ended: set[str] = set()
    executions: set[str] = set()
    for update in play(script, model, seed):
        order = update.order
        assert order.order_id not in ended
        assert update.filled_quantity >= filled[order.order_id]
        if update.kind.is_fill:
            filled[order.order_id] += update.quantity
            assert update.quantity > 0
            assert update.execution_id not in executions
            executions.add(update.execution_id)
            if order.limit_price is not None:
                assert (order.limit_price - update.price) * order.side.sign >= 0
        assert update.filled_quantity == filled[order.order_id] <= order.quantity
        if update.kind not in (UpdateKind.NEW, UpdateKind.ACCEPTED, UpdateKind.PARTIAL_FILL):
            ended.add(order.order_id)


@settings(max_examples=75, deadline=None)
@given(steps, models, st.integers(0, 5))
def test_the_same_seed_gives_the_same_tape(script: list[Step], model: FillModel, seed: int) -> None:
    assert play(script, model, seed) == play(script, model, seed)


@settings(max_examples=75, deadline=None)
@given(steps, models)
def test_cash_and_positions_follow_from_the_fills_and_from_nothing_else(script: list[Step], model: FillModel) -> None:
    account = TradingAccount("id", "PA1", 0)
    cash = START_CASH
    positions: dict[str, Decimal] = defaultdict(Decimal)
    for number, update in enumerate(u for u in play(script, model, 0) if u.kind.is_fill):
        order = update.order
        after = account.apply(
            Execution(
                activity_id=str(number),
                execution_id=update.execution_id,
                order_id=order.order_id,
                symbol=order.symbol,
                side=order.side,
                quantity=update.quantity,
                price=update.price,
                fee=update.fee,
                cumulative=update.filled_quantity,
                leaves=order.quantity - update.filled_quantity,
                timestamp=update.timestamp,
            )
        )
        cash -= order.side.sign * update.quantity * update.price + update.fee
        positions[order.symbol] += order.side.sign * update.quantity
        assert after == positions[order.symbol]
    assert account.cash == cash
    assert {s: h.quantity for s, h in account.holdings.items()} == {s: q for s, q in positions.items() if q}
