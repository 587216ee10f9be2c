"""The exchange on a socket: Alpaca's REST and WebSocket protocols over aiohttp."""

from engine.exchange.server.app import ExchangeServer, serve
from engine.exchange.server.options import ExchangeOptions

__all__ = ["ExchangeOptions", "ExchangeServer", "serve"]
