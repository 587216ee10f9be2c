"""The exchange on a socket: Alpaca's REST and WebSocket protocols over aiohttp."""

from engine.exchange.server.app import ExchangeServer
from engine.exchange.server.options import ExchangeOptions
from engine.exchange.server.venues import serve

__all__ = ["ExchangeOptions", "ExchangeServer", "serve"]
