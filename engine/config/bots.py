"""The bots, and those of the demo."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from engine.config.names import BOT_NAME, Symbols
from engine.config.section import Section
from engine.domain.market import Timeframe


class BotSection(Section):
    name: str = Field(pattern=BOT_NAME, description="also the name of its process and of its sleeve")
    strategy: str = Field(description="such as sma-cross or rsi-reversion")
    symbols: Symbols = Field(min_length=1, max_length=200)
    timeframe: Timeframe | None = Field(None, description="length of its bars; empty for 1s, or 1m in a fast replay")
    capital: Decimal = Field(Decimal(10_000), gt=0, description="dollars that its targets are shares of")
    parameters: dict[str, float | int | bool | str] = Field(default_factory=dict)
    allow_short: bool = False
    enabled: bool = True


DEMO_CAPITAL = Decimal(4_500)
"""Dollars for each symbol of a demo bot: a market order for all of it stays below the limit of 5 % of equity."""

DEMO_SYMBOLS = ["SPY", "QQQ", "AAPL", "MSFT", "NVDA", "AMZN", "TSLA", "IBM", "BAC", "AIG", "BTC/USD", "ETH/USD"]


def demo_bots(symbols: list[str]) -> list[BotSection]:
    """The two that show what bots do, in those of their symbols that are there, or in the first ones."""
    bots = [
        BotSection(
            name="sma-cross", strategy="sma-cross", symbols=["SPY", "AAPL", "BAC"], parameters={"fast": 10, "slow": 30}
        ),
        BotSection(name="rsi-reversion", strategy="rsi-reversion", symbols=["IBM", "AIG", "QQQ"]),
    ]
    chosen = [[symbol for symbol in bot.symbols if symbol in symbols] or symbols[:3] for bot in bots]
    return [
        bot.model_copy(update={"symbols": own, "capital": DEMO_CAPITAL * len(own)})
        for bot, own in zip(bots, chosen, strict=True)
    ]
