"""Historical market data over REST. aiohttp and not alpaca-py, because the feed must stay small: no pandas here.

Reads are repeated a few times; every method raises UnavailableError when the venue cannot be asked, and
CredentialsError when it refuses the keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from datetime import date, time
from typing import Any, TypeVar

import aiohttp
import msgspec

from engine.domain.errors import CredentialsError, UnavailableError
from engine.domain.market import Bar, Timeframe, Trade, is_crypto
from engine.domain.timestamps import format_rfc3339, parse_rfc3339
from engine.market.hours import at_new_york

R = TypeVar("R")

STOCKS, CRYPTO = "/v2/stocks", "/v1beta3/crypto/us"
ATTEMPTS = 3
PAUSE = 0.5
TIMEOUT = aiohttp.ClientTimeout(total=15, connect=3)
MOST = 10_000

_WORDS = {
    Timeframe.MINUTE_1: "1Min",
    Timeframe.MINUTE_5: "5Min",
    Timeframe.MINUTE_15: "15Min",
    Timeframe.HOUR_1: "1Hour",
    Timeframe.HOUR_4: "4Hour",
    Timeframe.DAY_1: "1Day",
}


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Prices in dollars, 0 where there is none."""

    last: float
    previous_close: float
    day: Bar | None


class MarketRest:
    def __init__(self, data_url: str, trading_url: str, key: str, secret: str, feed: str) -> None:
        self._data = data_url.rstrip("/")
        self._trading = trading_url.rstrip("/")
        self._headers = {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}
        self._feed = feed
        loopback = "//127.0.0.1" in data_url or "//localhost" in data_url
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=TIMEOUT, trust_env=not loopback)

    async def close(self) -> None:
        await self._session.close()

    async def market_time(self) -> tuple[int, bool]:
        """The venue's time (int nanoseconds UTC), and whether its market is open."""
        said = await self._get(f"{self._trading}/v2/clock", {})
        return _read(lambda: (parse_rfc3339(said["timestamp"]), bool(said["is_open"])))

    async def sessions(self, start: int, end: int) -> list[tuple[int, int]]:
        """Regular hours of the trading days between two times: when each opens and closes, int nanoseconds UTC."""
        query = {"start": format_rfc3339(start)[:10], "end": format_rfc3339(end)[:10]}
        rows = await self._get(f"{self._trading}/v2/calendar", query)
        return [_read(_session, row) for row in rows]

    async def knows(self, symbol: str) -> bool:
        try:
            asset = await self._get(f"{self._trading}/v2/assets/{symbol}", {})
        except _NotFoundError:
            return False
        return bool(asset.get("tradable"))

    async def newest_bars(self, symbol: str, timeframe: Timeframe, start: int, limit: int, now: int) -> list[Bar]:
        """Oldest first; what has not ended at `now`, the venue's time, is not closed."""
        query = {"timeframe": _WORDS[timeframe], "start": format_rfc3339(start), "limit": min(max(limit, 1), MOST)}
        rows = await self._rows(symbol, "bars", {**query, "sort": "desc"})
        return [_read(_bar, symbol, timeframe, row, now) for row in reversed(rows)]

    async def bars_between(
        self, symbol: str, timeframe: Timeframe, start: int, end: int, told: Callable[[int], None] = lambda count: None
    ) -> list[Bar]:
        """All that start in [start, end), oldest first, page by page; `told` hears the number so far after each."""
        query: dict[str, Any] = {
            "timeframe": _WORDS[timeframe], "start": format_rfc3339(start), "end": format_rfc3339(end - 1), "limit": MOST
        }  # fmt: skip
        found: list[Bar] = []
        while True:
            said = await self._page(symbol, "bars", query)
            rows = (said.get("bars") or {}).get(symbol) or []
            found += [_read(_bar, symbol, timeframe, row, end + timeframe.nanoseconds) for row in rows]
            told(len(found))
            if not (token := said.get("next_page_token")):
                return [bar for bar in found if start <= bar.timestamp < end]
            query["page_token"] = token

    async def newest_trades(self, symbol: str, start: int, limit: int) -> list[Trade]:
        """Oldest first."""
        query = {"start": format_rfc3339(start), "limit": min(limit, MOST), "sort": "desc"}
        rows = await self._rows(symbol, "trades", query)
        return [_read(_trade, symbol, row) for row in reversed(rows)]

    async def snapshots(self, symbols: Iterable[str]) -> dict[str, Snapshot]:
        """Of those that the venue knows."""
        found: dict[str, Snapshot] = {}
        for crypto in (False, True):
            names = [symbol for symbol in symbols if is_crypto(symbol) is crypto]
            if names:
                found |= await self._snapshots(names, crypto)
        return found

    async def _snapshots(self, names: Sequence[str], crypto: bool) -> dict[str, Snapshot]:
        query = {"symbols": ",".join(names)} | ({} if crypto else {"feed": self._feed})
        said = await self._get(f"{self._data}{CRYPTO if crypto else STOCKS}/snapshots", query)
        rows = said.get("snapshots", said) if crypto else said
        return {symbol: _read(_snapshot, symbol, row) for symbol, row in rows.items() if symbol in names and row}

    async def _rows(self, symbol: str, what: str, query: dict[str, Any]) -> list[dict[str, Any]]:
        said = await self._page(symbol, what, query)
        return list((said.get(what) or {}).get(symbol) or [])

    async def _page(self, symbol: str, what: str, query: dict[str, Any]) -> dict[str, Any]:
        crypto = is_crypto(symbol)
        if not crypto:
            query = {**query, "feed": self._feed}
        url = f"{self._data}{CRYPTO if crypto else STOCKS}/{what}"
        found: dict[str, Any] = await self._get(url, {**query, "symbols": symbol})
        return found

    async def _get(self, url: str, query: dict[str, Any]) -> Any:
        problem = "no answer"
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._session.get(url, params=query) as answer:
                    body = await answer.read()
                    if answer.status == 200:
                        return msgspec.json.decode(body)
                    self._refused(answer.status, url, body)
                    problem = f"HTTP {answer.status}"
            except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as error:
                problem = f"{type(error).__name__}: {error}"
            if attempt < ATTEMPTS:
                await asyncio.sleep(PAUSE * attempt)
        raise UnavailableError(f"Market data cannot be read: {problem}.", "Check the network; it is tried again.")

    @staticmethod
    def _refused(status: int, url: str, body: bytes) -> None:
        if status == 404:
            raise _NotFoundError(f"{url} is not there.")
        if status in {401, 403}:
            raise CredentialsError(
                f"The venue refused market data (HTTP {status}): {body[:200].decode(errors='replace')}",
                "Check the keys, and that the account may use this feed: iex is free, sip is not.",
            )
        if 400 <= status < 500 and status != 429:
            raise UnavailableError(f"The venue refused the request: {body[:200].decode(errors='replace')}")


class _NotFoundError(UnavailableError):
    pass


def _read(reader: Callable[..., R], *arguments: Any) -> R:
    """Raises UnavailableError for a row that is not what it should be."""
    try:
        return reader(*arguments)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnavailableError(f"The venue's market data cannot be read: {error!r}.") from error


def _bar(symbol: str, timeframe: Timeframe, row: dict[str, Any], now: int) -> Bar:
    start = parse_rfc3339(row["t"])
    return Bar(
        symbol,
        timeframe,
        start,
        float(row["o"]),
        float(row["h"]),
        float(row["l"]),
        float(row["c"]),
        float(row["v"]),
        int(row.get("n") or 0),
        float(row.get("vw") or 0),
        start + timeframe.nanoseconds <= now,
    )


def _session(row: dict[str, Any]) -> tuple[int, int]:
    day = date.fromisoformat(row["date"])
    return at_new_york(day, time.fromisoformat(row["open"])), at_new_york(day, time.fromisoformat(row["close"]))


def _trade(symbol: str, row: dict[str, Any]) -> Trade:
    return Trade(
        symbol,
        float(row["p"]),
        float(row["s"]),
        parse_rfc3339(row["t"]),
        str(row.get("x") or ""),
        tuple(row.get("c") or ()),
        int(row.get("i") or 0),
        str(row.get("z") or ""),
    )


def _snapshot(symbol: str, row: dict[str, Any]) -> Snapshot:
    day, before = row.get("dailyBar"), row.get("prevDailyBar") or {}
    return Snapshot(
        last=float((row.get("latestTrade") or {}).get("p") or 0),
        previous_close=float(before.get("c") or 0),
        day=_bar(symbol, Timeframe.DAY_1, day, 0) if day else None,
    )
