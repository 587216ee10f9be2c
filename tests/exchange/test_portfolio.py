"""Portfolio history: steps, the profit of each, the hours that are shown."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal

import pytest

from engine.domain.market import NANOSECONDS
from engine.exchange.activities import Entry
from engine.exchange.portfolio import Hours, Request, Samples, portfolio_history
from engine.exchange.sessions import AlwaysOpen, RegularHours, Sessions, at_new_york

MONDAY, TUESDAY = date(2026, 11, 16), date(2026, 11, 17)
START = Decimal(1000)


def at(day: date, clock: str) -> int:
    return at_new_york(day, time.fromisoformat(clock))


MONDAYS: Samples = [(at(MONDAY, "09:31"), Decimal(1010)), (at(MONDAY, "09:32"), Decimal(1020))]
CLOSE = (at(MONDAY, "16:00"), Decimal(1050))
TUESDAYS: Samples = [(at(TUESDAY, "08:00"), Decimal(1040)), (at(TUESDAY, "09:31"), Decimal(1071))]
SAMPLES = [*MONDAYS, CLOSE, *TUESDAYS]


def history(
    timeframe: str = "1min",
    base: tuple[int, Decimal] | None = None,
    sessions: Sessions | None = None,
    hours: Hours = Hours.MARKET,
    resets_daily: bool = True,
) -> dict[str, list[float]]:
    asked = Request(
        start=at(MONDAY, "00:00"),
        end=at(TUESDAY, "23:00"),
        timeframe=timeframe,
        hours=hours,
        resets_daily=resets_daily,
    )
    return portfolio_history(asked, SAMPLES, [CLOSE], base, START, sessions or RegularHours())


def test_a_point_stands_at_the_start_of_its_step_and_shows_how_the_step_ended() -> None:
    found = history("5min")
    assert found["timestamp"][0] == at(MONDAY, "09:30") // NANOSECONDS
    assert found["equity"] == [1020.0, 1050.0, 1071.0]
    assert found["timestamp"][1] == at(MONDAY, "15:55") // NANOSECONDS


def test_intraday_profit_begins_anew_every_day_unless_it_is_told_not_to() -> None:
    assert history()["profit_loss"] == [10.0, 20.0, 50.0, 21.0]
    assert history(resets_daily=False)["profit_loss"] == [10.0, 20.0, 50.0, 71.0]
    assert history()["profit_loss_pct"][-1] == pytest.approx(0.02)


def test_daily_profit_is_measured_from_the_base_value() -> None:
    found = history("1d", base=(at(date(2026, 11, 13), "16:00"), Decimal(900)))
    assert (found["equity"], found["profit_loss"]) == ([1050.0, 1071.0], [150.0, 171.0])
    assert (found["base_value"], found["base_value_asof"]) == (900.0, "2026-11-13")
    assert found["timestamp"] == [at(day, "00:00") // NANOSECONDS for day in (MONDAY, TUESDAY)]


def test_a_new_account_is_measured_from_the_money_it_began_with() -> None:
    found = history("1d")
    assert (found["base_value"], found["profit_loss"]) == (1000.0, [50.0, 71.0])
    assert "base_value_asof" not in found


def test_the_cash_flow_of_a_kind_is_shown_in_the_step_it_came_in() -> None:
    moments = ((MONDAY, "09:31", "-3"), (MONDAY, "12:00", "5.5"), (TUESDAY, "09:31", "1"), (TUESDAY, "09:31", "2"))
    entries = [
        Entry(activity_id=clock, kind="DIV", timestamp=at(day, clock), amount=Decimal(amount))
        for day, clock, amount in moments
    ]
    asked = Request(start=0, end=at(TUESDAY, "23:00"), timeframe="1d", cashflow=frozenset({"DIV", "FEE"}))
    found = portfolio_history(asked, SAMPLES, [CLOSE], None, START, RegularHours(), entries)
    assert found["cashflow"] == {"DIV": [2.5, 3.0], "FEE": [0.0, 0.0]}


@pytest.mark.parametrize(
    ("hours", "sessions", "shown"),
    [(Hours.MARKET, RegularHours(), 4), (Hours.EXTENDED, RegularHours(), 5), (Hours.MARKET, AlwaysOpen(), 5)],
)
def test_only_the_hours_that_are_asked_for_are_shown(hours: Hours, sessions: Sessions, shown: int) -> None:
    assert len(history(hours=hours, sessions=sessions)["equity"]) == shown
