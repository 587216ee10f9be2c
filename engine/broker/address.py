"""Where a venue is and who we are there: the only difference between demo, paper and live."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

PAPER = "https://paper-api.alpaca.markets"
LIVE = "https://api.alpaca.markets"
DATA = "https://data.alpaca.markets"
STREAM = "wss://stream.data.alpaca.markets"


class VenueAddress(msgspec.Struct, frozen=True, kw_only=True):
    trading_url: str
    """Base address of the trading API, without /v2."""
    data_url: str
    stock_stream_url: str
    crypto_stream_url: str
    trade_stream_url: str
    key: str
    secret: str

    @classmethod
    def local(cls, url: str, key: str, secret: str) -> VenueAddress:
        """The built-in exchange, which serves everything at one address."""
        socket = url.replace("http", "ws", 1)
        return cls(
            trading_url=url,
            data_url=url,
            stock_stream_url=f"{socket}/v2/iex",
            crypto_stream_url=f"{socket}/v1beta3/crypto/us",
            trade_stream_url=f"{socket}/stream",
            key=key,
            secret=secret,
        )

    @classmethod
    def alpaca(cls, key: str, secret: str, *, live: bool, feed: str = "iex") -> VenueAddress:
        base = LIVE if live else PAPER
        return cls(
            trading_url=base,
            data_url=DATA,
            stock_stream_url=f"{STREAM}/v2/{feed}",
            crypto_stream_url=f"{STREAM}/v1beta3/crypto/us",
            trade_stream_url=f"{base.replace('https', 'wss', 1)}/stream",
            key=key,
            secret=secret,
        )

    @property
    def is_loopback(self) -> bool:
        return urlsplit(self.trading_url).hostname in {"127.0.0.1", "localhost", "::1"}

    def __repr__(self) -> str:
        return f"VenueAddress({self.trading_url}, key={self.key[:4]}…)"
