"""Where orders go, and with whose keys."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field, SecretStr

from engine.config.section import Section


class Environment(StrEnum):
    """Where orders go: the built-in exchange, Alpaca's paper account, or real money."""

    DEMO = "demo"
    PAPER = "paper"
    LIVE = "live"


class KeyPair(Section):
    key: str = Field("", description="API key id, from the Alpaca dashboard")
    secret: SecretStr = Field(SecretStr(""), description="API secret key; better in the environment than in a file")


class AccountSection(KeyPair):
    url: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+)?$",
        description="address of a server that speaks Alpaca's protocols, such as `paddock exchange`; empty for Alpaca",
    )


class AlpacaSection(Section):
    paper: AccountSection = Field(AccountSection(), description="keys of the paper account")
    live: KeyPair = Field(KeyPair(), description="keys of the live account")
    feed: Literal["iex", "sip"] = Field("iex", description="stock data: iex is free, sip needs a subscription")
    sessions: Literal["all", "extended", "regular"] = Field(
        "all",
        description="prints of stocks that make candles: all, those from 4:00 to 20:00, or of the regular session",
    )
