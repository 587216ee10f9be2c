"""The table of shared/design/orders.md a second time, in plain fractions and from scratch: which controls an order breaks.

Nothing of engine.risk's arithmetic is used here. What an order and the open ones could lead to is found by trying every
way in which they may fill.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from itertools import chain, combinations
from math import isfinite

from engine.domain.orders import Order, OrderRequest
from engine.risk.context import Context

SECOND = 10**9
MARGIN = Fraction(103, 100)


def broken(request: OrderRequest, context: Context, placed: Iterable[Order]) -> set[str]:
    """Names of the controls that refuse. `placed` is what was placed before, newest last."""
    return _Oracle(request, context, list(placed)).broken()


class _Oracle:
    def __init__(self, request: OrderRequest, context: Context, placed: list[Order]) -> None:
        self.r, self.c, self.l, self.placed = request, context, context.limits, placed
        self.buy = request.side.value == "buy"
        self.sign = 1 if self.buy else -1
        self.coin = "/" in request.symbol
        self.quantity = Fraction(request.quantity)
        self.net, self.own = Fraction(context.net_position), Fraction(context.sleeve_position)
        self.equity = Fraction(context.account.equity) if context.account else Fraction(0)
        self.bid, self.ask, self.last = self._quote()
        self.market = self.ask if self.buy else self.bid
        self.rests = [
            (1 if o.side.value == "buy" else -1, Fraction(o.quantity - o.filled_quantity), o) for o in context.working
        ]
        self.free = self.net - sum(q for sign, q, _ in self.rests if sign < 0)
        self.short = not self.buy and self.quantity > self.free
        self.price = self._price()
        self.worth = None if self.price is None else self.price * self.quantity

    def broken(self) -> set[str]:
        found = {
            name for name in ("trading_state", "live_account", "account_usable", "market_open") if getattr(self, name)()
        }
        if self.c.emergency:
            return found
        groups = ["order_terms", "tick_size", "quantity_step", "exits", "expired", "slices"]
        if not self.reduces():
            groups += [
                "reconciled", "account_active", "asset_known", "asset_tradable", "restricted", "allowed", "fresh_quote",
                "price_collar", "stop_side", "order_quantity", "order_notional", "short_sale", "still_held",
                "pattern_day_trade", "position_size", "gross_exposure", "buying_power", "self_cross", "duplicate",
                "repeated_execution", "order_rate", "daily_orders", "broker_rate", "open_orders",
            ]  # fmt: skip
        return found | {name for name in groups if getattr(self, name)()}

    # What follows from the picture

    def _quote(self) -> tuple[Fraction | None, Fraction | None, Fraction | None]:
        view = self.c.price
        if view is None:
            return None, None, None
        bid, ask, last = (
            Fraction(str(value)) if isfinite(value) and value > 0 else None for value in (view.bid, view.ask, view.last)
        )
        return bid or last, ask or last, last

    def _price(self) -> Fraction | None:
        limit, stop = self.r.limit_price, self.r.stop_price
        if self.buy:
            if limit is not None:
                return Fraction(limit)
            if self.ask is None:
                return None
            at = self.ask
            if stop is not None:
                at = max(at, Fraction(stop))
            if self.r.trail_price is not None:
                at += Fraction(self.r.trail_price)
            if self.r.trail_percent is not None:
                at += at * Fraction(self.r.trail_percent) / 100
            return at * MARGIN
        base = self.ask if self.short else self.bid
        if base is None:
            return None if limit is None else Fraction(limit)
        if limit is not None:
            return max(Fraction(limit), base)
        base = max(base, Fraction(stop or 0))
        return base * MARGIN if self.short else base

    def reduces(self) -> bool:
        """No way of filling may grow or turn what the account or the sleeve holds."""
        for held, rests in (
            (self.net, self.rests),
            (self.own, [one for one in self.rests if one[2].sleeve == self.r.sleeve]),
        ):
            against = [q for sign, q, _ in rests if sign == self.sign]
            ends = [held + self.sign * sum(some) for some in _subsets([*against, self.quantity])]
            if held == 0 or held * self.sign > 0 or any(end * held < 0 for end in ends):
                return False
        return True

    def _worst(self, held: Fraction, moves: list[Fraction]) -> Fraction:
        return max(abs(held + sum(some)) for some in _subsets(moves))

    # Controls

    def trading_state(self) -> bool:
        state = self.c.trading_state.value
        if self.c.emergency or state == "ACTIVE":
            return False
        return state == "HALTED" or not self.reduces()

    def live_account(self) -> bool:
        return self.c.mismatch != ""

    def account_usable(self) -> bool:
        account = self.c.account
        if account is None:
            return not self.c.emergency
        return account.trading_blocked or account.account_blocked or account.suspended_by_user

    def market_open(self) -> bool:
        if self.coin or self.c.market_open is True:
            return False
        if self.c.market_open is None:
            return not self.c.emergency
        return not (self.r.extended_hours and self.c.extended_open is True)

    def order_terms(self) -> bool:
        kind, life = self.r.type.value, self.r.time_in_force.value
        bracket = self.r.take_profit is not None or self.r.stop_loss is not None
        if self.coin and (kind in {"stop", "trailing_stop"} or life in {"day", "opg", "cls", "fok"}):
            return True
        if not self.coin and self.quantity.denominator > 1 and life != "day":
            return True
        return self.r.extended_hours and (kind != "limit" or life not in {"day", "gtc"} or bracket)

    def tick_size(self) -> bool:
        prices = (self.r.limit_price, self.r.stop_price, self.r.trail_price, self.r.take_profit, self.r.stop_loss)
        step = self.c.asset.price_increment if self.c.asset is not None else None
        for price in prices:
            if price is None:
                continue
            value = Fraction(price)
            if step is not None:
                tick = Fraction(step)
            elif self.coin:
                continue
            else:
                tick = Fraction(1, 100) if value >= 1 else Fraction(1, 10_000)
            if (value / tick).denominator > 1:
                return True
        return False

    def quantity_step(self) -> bool:
        asset = self.c.asset
        if asset is None:
            return False
        if not self.coin:
            return not asset.fractionable and self.quantity.denominator > 1
        off = asset.min_trade_increment and (self.quantity / Fraction(asset.min_trade_increment)).denominator > 1
        small = asset.min_order_size and self.quantity < Fraction(asset.min_order_size) and not self.reduces()
        return bool(off or small)

    def exits(self) -> bool:
        profit, loss = self.r.take_profit, self.r.stop_loss
        if profit is None and loss is None:
            return False
        if self.coin or self.quantity.denominator > 1 or self.r.time_in_force.value not in {"day", "gtc"}:
            return True
        entry = self.r.limit_price or self.r.stop_price
        at = Fraction(entry) if entry is not None else self.market
        if at is None:
            return True
        if profit is not None and not (Fraction(profit) > at if self.buy else Fraction(profit) < at):
            return True
        cent = Fraction(1, 100)
        return loss is not None and not (Fraction(loss) <= at - cent if self.buy else Fraction(loss) >= at + cent)

    def expired(self) -> bool:
        return self.r.expires_at != 0 and self.c.now > self.r.expires_at

    def slices(self) -> bool:
        if self.r.parent_id == "":
            return False
        return self.r.parent_quantity is None or self.r.quantity + self.c.sliced > self.r.parent_quantity

    def reconciled(self) -> bool:
        return not self.c.ready

    def account_active(self) -> bool:
        return self.c.account is None or self.c.account.status != "ACTIVE"

    def asset_known(self) -> bool:
        return self.c.asset is None

    def asset_tradable(self) -> bool:
        return self.c.asset is None or not self.c.asset.tradable

    def restricted(self) -> bool:
        return self.r.symbol in self.l.restricted

    def allowed(self) -> bool:
        return self.c.live and len(self.l.allowed) > 0 and self.r.symbol not in self.l.allowed

    def fresh_quote(self) -> bool:
        if self.c.price is None or self.market is None:
            return True
        return not -1 <= self.c.price.age <= self.l.max_quote_age_s

    def price_collar(self) -> bool:
        if self.r.limit_price is None or self.market is None:
            return False
        base = self.market
        if self.r.stop_price is not None:
            base = (max if self.buy else min)(base, Fraction(self.r.stop_price))
        share = self.l.price_collar_extended if self.c.market_open is False else self.l.price_collar
        bound = base * (1 + self.sign * Fraction(str(share)))
        return Fraction(self.r.limit_price) > bound if self.buy else Fraction(self.r.limit_price) < bound

    def stop_side(self) -> bool:
        if self.r.stop_price is None or self.market is None:
            return False
        stop = Fraction(self.r.stop_price)
        return stop <= self.market if self.buy else stop >= self.market

    def order_quantity(self) -> bool:
        return self.r.quantity > self.l.max_order_quantity

    def order_notional(self) -> bool:
        most = min(Fraction(self.l.max_order_notional), self.equity * Fraction(str(self.l.max_order_share)))
        return self.worth is None or self.worth > most

    def short_sale(self) -> bool:
        if not self.short:
            return False
        account, asset = self.c.account, self.c.asset
        may = (
            not self.coin and self.l.short_sales and account is not None and account.shorting_enabled
            and asset is not None and asset.shortable and (asset.easy_to_borrow or self.l.hard_to_borrow)
            and self.quantity.denominator == 1
        )  # fmt: skip
        return not may

    def still_held(self) -> bool:
        elsewhere = Fraction(self.c.external_position)
        if not self.r.reduces or self.own * elsewhere >= 0:
            return False
        return self.quantity > max(abs(self.own) - abs(elsewhere), Fraction(0))

    def pattern_day_trade(self) -> bool:
        account = self.c.account
        if account is None or self.coin or self.equity >= 25_000:
            return False
        return account.pattern_day_trader is True or (account.day_trades is not None and account.day_trades >= 3)

    def position_size(self) -> bool:
        if self.price is None:
            return True
        worst = self._worst(self.net, [sign * q for sign, q, _ in self.rests] + [self.sign * self.quantity])
        return worst * self.price > self.equity * Fraction(str(self.l.max_position_share))

    def gross_exposure(self) -> bool:
        if self.price is None or self.worth is None:
            return True
        mark = self.last or self.price
        moves = [sign * self._resting(order, q, mark) for sign, q, order in self.rests]
        held = self.net * mark
        added = self._worst(held, [*moves, self.sign * self.worth]) - self._worst(held, moves)
        return Fraction(self.c.gross_exposure) + added > self.equity * Fraction(str(self.l.max_gross_exposure))

    def _resting(self, order: Order, units: Fraction, mark: Fraction) -> Fraction:
        if order.limit_price is not None:
            return units * Fraction(order.limit_price)
        at = max(mark, Fraction(order.stop_price or 0))
        return units * at * (MARGIN if order.side.value == "buy" else 1)

    def buying_power(self) -> bool:
        account = self.c.account
        if account is None or self.worth is None:
            return True
        power = account.buying_power
        if self.coin and account.non_marginable_buying_power is not None:
            power = min(power, account.non_marginable_buying_power)
        return self.worth > Fraction(power)

    def self_cross(self) -> bool:
        for sign, _, order in self.rests:
            if sign == self.sign:
                continue
            if order.limit_price is None or self.r.limit_price is None:
                return True
            if (self.r.limit_price - order.limit_price) * self.sign >= 0:
                return True
        return False

    def duplicate(self) -> bool:
        def key(one: Order | OrderRequest) -> tuple[object, ...]:
            return one.symbol, one.side, one.quantity, one.limit_price, one.stop_price, one.sleeve

        since = self.c.now - int(self.l.duplicate_window_s * SECOND)
        return any(key(order) == key(self.r) and order.created_at >= since for order in self.placed)

    def repeated_execution(self) -> bool:
        return self.c.paused_until > self.c.monotonic

    def order_rate(self) -> bool:
        return (
            self._placed_within(SECOND) >= self.l.orders_per_second
            or self._placed_within(60 * SECOND) >= self.l.orders_per_minute
        )

    def daily_orders(self) -> bool:
        day = 86_400 * SECOND
        mine = sum(order.sleeve == self.r.sleeve and order.created_at > self.c.now - day for order in self.placed)
        return self._placed_within(day) >= self.l.orders_per_day or mine >= self.l.orders_per_day_and_sleeve

    def _placed_within(self, length: int) -> int:
        return sum(order.created_at > self.c.now - length for order in self.placed)

    def broker_rate(self) -> bool:
        return not self.c.rate_used <= 1 - self.l.rate_kept_for_cancels

    def open_orders(self) -> bool:
        return self.c.open_count >= self.l.max_open_orders or len(self.rests) >= self.l.max_open_orders_per_symbol


def _subsets(moves: list[Fraction]) -> Iterable[tuple[Fraction, ...]]:
    return chain.from_iterable(combinations(moves, size) for size in range(len(moves) + 1))
