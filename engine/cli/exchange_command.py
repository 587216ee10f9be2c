"""The options of `paddock exchange`, in the groups in which its help shows them."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from engine.cli.options import parse_symbols
from engine.domain.errors import ConfigurationError


class Calendar(StrEnum):
    ALWAYS = "24h"
    REAL = "real"


class Fills(StrEnum):
    ALPACA = "alpaca"
    REALISTIC = "realistic"


class Fees(StrEnum):
    NONE = "none"
    REGULATORY = "regulatory"


def _option(group: str, *names: str, **settings: Any) -> Any:
    return typer.Option(*names, rich_help_panel=group, **settings)


_ADDRESS, _MARKET, _REPLAY, _TRADING, _LIMITS = (
    "Address and state",
    "Simulated market",
    "Recording",
    "Trading",
    "Limits",
)


def exchange(
    host: Annotated[str, _option(_ADDRESS, help="Address to listen on. Faults and the market are controlled from this machine only.")] = "127.0.0.1",
    port: Annotated[int, _option(_ADDRESS, min=0, max=65535, help="0 takes a free port; further venues take the next ones.")] = 0,
    state: Annotated[Path | None, _option(_ADDRESS, help="Folder that keeps accounts and orders between runs.")] = None,
    venues: Annotated[int, _option(_ADDRESS, min=1, max=4, help="Exchanges side by side around the same prices; one ready line each.")] = 1,
    symbols: Annotated[str | None, _option(_MARKET, help="Such as SPY,IBM,BTC/USD; of a recording, those to take from it.")] = None,
    seed: Annotated[int, _option(_MARKET, min=0, help="The same seed gives the same prices.")] = 1,
    calendar: Annotated[Calendar, _option(_MARKET, help="24h never closes; real has New York's sessions, holidays, half days and auctions.")] = Calendar.ALWAYS,
    speed: Annotated[float, _option(_MARKET, help="How many times faster than real time the market runs.")] = 1.0,
    recent_minutes: Annotated[int | None, _option(_MARKET, help="Minutes of single trades and quotes before the start; bars go back further.")] = None,
    spread: Annotated[float, _option(_MARKET, help="Quoted spreads as a multiple of the usual ones.")] = 1.0,
    jumps_per_day: Annotated[float, _option(_MARKET, help="Price jumps of a symbol in 24 hours; a large one pauses a stock.")] = 1.0,
    revisions_per_hour: Annotated[float, _option(_MARKET, help="Late prints of a stock in an hour, and as many corrections and cancellations.")] = 0.5,
    replay: Annotated[Path | None, _option(_REPLAY, help="Folder of recorded Parquet trades, quotes or minute bars.")] = None,
    day: Annotated[str | None, _option(_REPLAY, help="Day of the recording, YYYY-MM-DD; the first it has if not given.")] = None,
    start_at: Annotated[str, _option(_REPLAY, help="New York time at which a replay opens; before that is history.")] = "09:30",
    loop: Annotated[bool, _option(_REPLAY, "--loop", help="Play the recording again when it has ended, as the next weekday.")] = False,
    fills: Annotated[Fills, _option(_TRADING, help="As Alpaca's paper venue fills, or with queue, depth, impact and delay.")] = Fills.ALPACA,
    latency: Annotated[float | None, _option(_TRADING, help="Seconds from an order to the book; for realistic fills.")] = None,
    partial_fills: Annotated[float | None, _option(_TRADING, min=0, max=1, help="Share of the fills that are partial; for Alpaca's fills.")] = None,
    fees: Annotated[Fees, _option(_TRADING, help="What selling stocks costs: nothing, or what live accounts are passed on.")] = Fees.NONE,
    crypto_fee_bps: Annotated[str | None, _option(_TRADING, help="Fee of a crypto trade in basis points.")] = None,
    not_shortable: Annotated[str | None, _option(_TRADING, help="Symbols that cannot be sold short, such as AIG,BAC.")] = None,
    hard_to_borrow: Annotated[str | None, _option(_TRADING, help="Symbols that are hard to borrow.")] = None,
    sip: Annotated[bool, _option(_LIMITS, help="Whether keys may use the SIP feed: 409 on its stream and 403 over REST if not.")] = True,
    rate_limit: Annotated[int, _option(_LIMITS, min=0, help="REST requests a minute and key; 0 for no limit. Alpaca has 200.")] = 0,
    symbol_limit: Annotated[int, _option(_LIMITS, min=0, help="Symbols in one data stream; 0 for no limit. Alpaca's free plan has 30.")] = 0,
    connection_limit: Annotated[int, _option(_LIMITS, min=0, help="Data streams of one key and feed; 0 for no limit. Alpaca has 1.")] = 0,
) -> None:  # fmt: skip
    """Serve the local exchange: Alpaca's REST and streams on one port.

    It prints "ready URL" when it answers and ends at Ctrl+C. Any key pair is taken and has an account of its own,
    unless the configuration names those to take under exchange.keys.
    """
    # The parameters have the names of the fields of ExchangeOptions.
    given = dict(locals())
    from engine.cli.exchange import run_exchange

    for name in ("symbols", "not_shortable", "hard_to_borrow"):
        named = parse_symbols(given[name])
        given[name] = tuple(named) if named else None
    given |= {"calendar": calendar.value, "fills": fills.value, "fees": fees.value}
    given["crypto_fee_bps"] = _decimal(crypto_fee_bps)
    run_exchange(given.pop("venues"), given)


def _decimal(text: str | None) -> Decimal | None:
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation as error:
        raise ConfigurationError(f"{text!r} is not a number.", "Write it as 25 or 12.5.") from error
