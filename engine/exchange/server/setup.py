"""From options to a market and a venue: a simulation or a replay, with the accounts of the run before."""

from __future__ import annotations

from engine.exchange.assets import DEFAULT_SYMBOLS, Catalogue
from engine.exchange.fills import AlpacaFill
from engine.exchange.prices.base import PriceSource
from engine.exchange.prices.synthetic import SyntheticPrices
from engine.exchange.server.options import ExchangeOptions
from engine.exchange.sessions import AlwaysOpen, RealCalendar, RegularHours, Sessions
from engine.exchange.store import Store
from engine.exchange.tape import TICK_LIMIT
from engine.exchange.venue import Venue

REPLAY_TICKS = 1_000_000
"""Ticks kept for each symbol of a replay: a day of the busiest stock."""


def build_market(options: ExchangeOptions, now: int, store: Store | None) -> tuple[PriceSource, Sessions]:
    """Raises ConfigurationError for a bad symbol, DataError for a recording that cannot be read."""
    if options.replay is not None:
        return _replay(options)
    Catalogue(options.symbols)
    real = options.calendar == "real"
    levels = {} if store is None else store.read_levels()
    source = SyntheticPrices(options.symbols, options.seed, now, levels=levels, regular_hours=real)
    return source, RealCalendar() if real else AlwaysOpen()


def build_venue(options: ExchangeOptions, source: PriceSource, sessions: Sessions, store: Store | None) -> Venue:
    """Ids differ from run to run on the same state, so that no execution is taken for an earlier one."""
    run = 0 if store is None else store.next_run()
    venue = Venue(
        source,
        sessions,
        seed=f"{options.seed}/{run}",
        model=AlpacaFill(partial_probability=options.partial_fills),
        tick_limit=TICK_LIMIT if options.replay is None else REPLAY_TICKS,
    )
    for desk, records in [] if store is None else store.load():
        venue.restore(desk, records)
    return venue


def _replay(options: ExchangeOptions) -> tuple[PriceSource, Sessions]:
    # Imported here because it brings polars, which a simulation does not need.
    from engine.exchange.prices.replay import ReplayPrices

    symbols = () if options.symbols == DEFAULT_SYMBOLS else options.symbols
    assert options.replay is not None
    source = ReplayPrices(options.replay, symbols, options.day, options.start_at)
    return source, RegularHours(source.end)
