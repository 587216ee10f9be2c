"""From options to a market and a venue: a simulation or a replay, with the accounts of the run before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.domain.errors import ConfigurationError
from engine.domain.market import NANOSECONDS
from engine.exchange.assets import DEFAULT_SYMBOLS, Catalogue
from engine.exchange.corporate import Calendar
from engine.exchange.fees import Fees
from engine.exchange.fills import AlpacaFill, FillModel, RealisticFill
from engine.exchange.house import House
from engine.exchange.orders import ZERO
from engine.exchange.prices.base import PriceSource
from engine.exchange.prices.recording import choose_day, recorded_symbols
from engine.exchange.prices.replay import ReplayPrices
from engine.exchange.prices.synthetic import SyntheticPrices, Texture
from engine.exchange.server.options import ExchangeOptions
from engine.exchange.sessions import AlwaysOpen, RealCalendar, RecordedHours, Sessions
from engine.exchange.store import FILE_NAME, Store
from engine.exchange.tape import TICK_LIMIT
from engine.exchange.venue import Venue

REPLAY_TICKS = 1_000_000
"""Ticks kept for each symbol of a replay: a day of the busiest stock."""


class Saved:
    """What an earlier run left in the state folder; nothing where there is none."""

    def __init__(self, store: Store) -> None:
        self.market = store.read_market()
        self.accounts = store.load()
        # Where the market stood is noted now and then; what was told since must stay in the past.
        self.market.at = max(self.market.at, self.accounts.newest)
        self.run = store.next_run() if store.is_durable else 0
        self.archive = store.archive

    @property
    def symbols(self) -> set[str]:
        """What the accounts hold or have open orders in."""
        held = {symbol for desk, _ in self.accounts.desks for symbol in desk.account.holdings}
        return held | {record.symbol for _, records in self.accounts.desks for record in records if record.is_open}


def state_file(options: ExchangeOptions) -> str:
    """The simulation and each recorded day keep accounts of their own: their prices and times do not go together."""
    if options.replay is None:
        return FILE_NAME
    symbols = _wanted(options) or recorded_symbols(options.replay)
    return f"replay-{choose_day(options.replay, symbols, options.day)}.db"


def _wanted(options: ExchangeOptions) -> tuple[str, ...]:
    """The symbols of a replay; none for all there are."""
    return () if options.symbols == DEFAULT_SYMBOLS else options.symbols


def build_market(
    options: ExchangeOptions, now: int, saved: Saved, beside: PriceSource | None = None
) -> tuple[PriceSource, Sessions]:
    """With `beside`, the simulation of another venue, the mids are the same as there.

    Raises ConfigurationError for a bad symbol or a state that does not go with a recording, DataError for a
    recording that cannot be read.
    """
    if options.replay is not None:
        return _replay(options, options.replay, saved)
    Catalogue(options.symbols)
    symbols = (*options.symbols, *sorted(saved.symbols - set(options.symbols)))
    # Accelerated, an earlier run may have been ahead of the wall: its orders stay in the past all the same.
    start = now if saved.market.recording else max(now, saved.market.at)
    levels: Mapping[str, float] = saved.market.levels
    if isinstance(beside, SyntheticPrices):
        if foreign := sorted(set(symbols) - set(beside.symbols)):
            raise ConfigurationError(
                f"The accounts in {options.state} have {', '.join(foreign)}, which the first venue does not trade.",
                "Name these symbols too.",
            )
        symbols, start, levels = beside.symbols, beside.start, beside.levels
    sessions: Sessions | None = RealCalendar() if options.calendar == "real" else None
    source = SyntheticPrices(
        symbols,
        options.seed,
        start,
        levels=levels,
        sessions=sessions,
        recent=options.recent_minutes,
        texture=Texture(
            venue=options.venue,
            spread=options.spread,
            jumps_per_day=options.jumps_per_day,
            revisions_per_hour=options.revisions_per_hour,
        ),
    )
    return source, sessions or AlwaysOpen()


def recording(options: ExchangeOptions, source: PriceSource) -> str:
    """A name for what is replayed, so that a restart can go on where it was; empty for a simulation."""
    if options.replay is None or not isinstance(source, ReplayPrices):
        return ""
    return f"{options.replay.resolve()} {source.day}"


def build_house(options: ExchangeOptions) -> House:
    regulatory = options.fees == "regulatory"
    fees = Fees(
        sec_rate=options.sec_fee_rate if regulatory else ZERO,
        taf_rate=options.taf_rate if regulatory else ZERO,
        taf_cap=options.taf_cap,
        crypto_rate=options.crypto_fee_bps / 10_000,
    )
    return House(
        fees=fees, not_shortable=frozenset(options.not_shortable), hard_to_borrow=frozenset(options.hard_to_borrow)
    )


def build_venue(options: ExchangeOptions, source: PriceSource, sessions: Sessions, saved: Saved) -> Venue:
    """Ids differ from run to run on the same state, so that no execution is taken for an earlier one."""
    venue = Venue(
        source,
        sessions,
        seed=f"{options.seed}/{saved.run}",
        model=_fill_model(options),
        tick_limit=TICK_LIMIT if options.replay is None else REPLAY_TICKS,
        archive=saved.archive,
        house=build_house(options),
        actions=Calendar(saved.accounts.actions),
    )
    for desk, records in saved.accounts.desks:
        venue.restore(desk, records)
    venue.books.count_from(saved.accounts.orders, saved.accounts.activities)
    return venue


def _fill_model(options: ExchangeOptions) -> FillModel:
    if options.fills == "realistic":
        return RealisticFill(latency=round(options.latency * NANOSECONDS))
    return AlpacaFill(partial_probability=options.partial_fills)


def _replay(options: ExchangeOptions, folder: Path, saved: Saved) -> tuple[PriceSource, Sessions]:
    source = ReplayPrices(folder, _wanted(options), options.day, options.start_at)
    if foreign := sorted(saved.symbols - set(source.symbols)):
        raise ConfigurationError(
            f"The accounts in {options.state} have {', '.join(foreign)}, which this recording is asked to leave out.",
            "Give the replay a state folder of its own, or name these symbols too.",
        )
    if saved.market.recording == recording(options, source):
        source.take_up(saved.market.at)
    return source, RecordedHours(source)
