"""What can be traded: the symbols the exchange knows, with the figures the simulation draws their prices from."""

from __future__ import annotations

import re
import uuid
import zlib
from collections.abc import Iterable, Iterator, Set

import msgspec

from engine.domain.errors import ConfigurationError
from engine.domain.market import is_crypto

SYMBOL_PATTERN = re.compile(r"[A-Z][A-Z0-9.]{0,9}(/[A-Z]{3,5})?")


class Profile(msgspec.Struct, frozen=True):
    """How a symbol behaves: price level in dollars, yearly volatility, share of its moves that it has in common with
    the market, spread in basis points, and how large its prints are beside the usual ones.
    """

    name: str
    exchange: str
    level: float
    volatility: float
    correlation: float
    spread_bps: float
    lots: int = 1
    shortable: bool = True
    easy_to_borrow: bool = True


PROFILES = {
    "SPY": Profile("SPDR S&P 500 ETF Trust", "ARCA", 672.0, 0.15, 0.97, 0.15, 4),
    "QQQ": Profile("Invesco QQQ Trust, Series 1", "NASDAQ", 601.0, 0.20, 0.92, 0.2, 3),
    "AAPL": Profile("Apple Inc. Common Stock", "NASDAQ", 268.0, 0.27, 0.70, 0.5, 3),
    "MSFT": Profile("Microsoft Corporation Common Stock", "NASDAQ", 498.0, 0.24, 0.70, 0.5, 1),
    "NVDA": Profile("NVIDIA Corporation Common Stock", "NASDAQ", 187.0, 0.42, 0.65, 0.6, 6),
    "AMZN": Profile("Amazon.com, Inc. Common Stock", "NASDAQ", 236.0, 0.32, 0.65, 0.5, 2),
    "TSLA": Profile("Tesla, Inc. Common Stock", "NASDAQ", 412.0, 0.55, 0.50, 0.8, 3),
    "IBM": Profile("International Business Machines Corporation", "NYSE", 304.0, 0.25, 0.50, 1.2, 1),
    "BAC": Profile("Bank of America Corporation", "NYSE", 53.0, 0.26, 0.60, 1.9, 2),
    "AIG": Profile("American International Group, Inc.", "NYSE", 78.0, 0.25, 0.50, 1.5, 1),
    "BTC/USD": Profile("Bitcoin / US Dollar", "CRYPTO", 97_500.0, 0.50, 0.35, 2.0, 1),
    "ETH/USD": Profile("Ethereum / US Dollar", "CRYPTO", 3_250.0, 0.65, 0.35, 3.0, 1),
}
DEFAULT_SYMBOLS = tuple(PROFILES)


class Asset(msgspec.Struct, frozen=True):
    """A tradable symbol; `asset_id` is the same in every run."""

    symbol: str
    asset_id: str
    name: str
    exchange: str
    shortable: bool
    easy_to_borrow: bool
    """Alpaca opens short positions in these only."""

    @property
    def is_crypto(self) -> bool:
        return is_crypto(self.symbol)


def profile(symbol: str) -> Profile:
    """The figures of a known symbol, or plausible ones that follow from the name of an unknown one."""
    known = PROFILES.get(symbol)
    if known is not None:
        return known
    number = zlib.crc32(symbol.encode())
    level = 20.0 + number % 28_000 / 100
    exchange = "CRYPTO" if is_crypto(symbol) else "NYSE"
    # One in twenty cannot be borrowed, another is hard to borrow.
    lent, easy = number % 20 != 0, number % 20 > 1
    volatility = 0.25 + number % 7 * 0.03
    return Profile(symbol, exchange, level, volatility, 0.5, 2.0, shortable=lent, easy_to_borrow=easy)


class Catalogue:
    """The assets of one exchange. Crypto pairs are found with and without their slash, and are never lent."""

    def __init__(
        self, symbols: Iterable[str], not_shortable: Set[str] = frozenset(), hard_to_borrow: Set[str] = frozenset()
    ) -> None:
        self._assets: dict[str, Asset] = {}
        for symbol in symbols:
            if not SYMBOL_PATTERN.fullmatch(symbol):
                raise ConfigurationError(
                    f"{symbol!r} is not a symbol.", "Write stocks like AAPL and crypto pairs like BTC/USD."
                )
            known = profile(symbol)
            asset_id = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{symbol}.assets.paddock"))
            lent = known.shortable and not is_crypto(symbol) and symbol not in not_shortable
            easy = lent and known.easy_to_borrow and symbol not in hard_to_borrow
            self._assets[symbol] = Asset(symbol, asset_id, known.name, known.exchange, lent, easy)
        self._alias = {key: asset for asset in self._assets.values() for key in _names(asset)}

    def __iter__(self) -> Iterator[Asset]:
        return iter(self._assets.values())

    def find(self, name: str) -> Asset | None:
        """By symbol, by a crypto pair without its slash, or by asset id."""
        return self._alias.get(name) or self._alias.get(name.upper())


def _names(asset: Asset) -> tuple[str, ...]:
    return (asset.symbol, asset.symbol.replace("/", ""), asset.asset_id)
