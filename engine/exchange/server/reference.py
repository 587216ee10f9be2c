"""What market data is written in: the codes of exchanges and of the conditions of trades and quotes."""

from __future__ import annotations

from aiohttp import web

from engine.exchange.refusals import malformed, not_found
from engine.exchange.server.asked import STOCKS
from engine.exchange.server.http import reply
from engine.exchange.server.times import query_word

TAPES = ("a", "b", "c")
EXCHANGES = {
    "A": "NYSE American (AMEX)",
    "B": "NASDAQ OMX BX",
    "C": "National Stock Exchange",
    "D": "FINRA ADF",
    "E": "Market Independent",
    "H": "MIAX",
    "I": "International Securities Exchange",
    "J": "Cboe EDGA",
    "K": "Cboe EDGX",
    "L": "Long Term Stock Exchange",
    "M": "Chicago Stock Exchange",
    "N": "New York Stock Exchange",
    "P": "NYSE Arca",
    "Q": "NASDAQ OMX",
    "S": "NASDAQ Small Cap",
    "T": "NASDAQ Int",
    "U": "Members Exchange",
    "V": "IEX",
    "W": "CBOE",
    "X": "NASDAQ OMX PSX",
    "Y": "Cboe BYX",
    "Z": "Cboe BZX",
}
TRADE_CONDITIONS = {
    " ": "Regular Sale",
    "@": "Regular Sale",
    "4": "Derivatively Priced",
    "5": "Market Center Reopening Trade",
    "6": "Market Center Closing Trade",
    "7": "Qualified Contingent Trade",
    "9": "Corrected Consolidated Close",
    "B": "Average Price Trade",
    "C": "Cash Sale",
    "F": "Intermarket Sweep",
    "H": "Price Variation Trade",
    "I": "Odd Lot Trade",
    "K": "Rule 127 or Rule 155",
    "L": "Sold Last",
    "M": "Market Center Official Close",
    "N": "Next Day",
    "O": "Market Center Opening Trade",
    "P": "Prior Reference Price",
    "Q": "Market Center Official Open",
    "R": "Seller",
    "T": "Extended Hours Trade",
    "U": "Extended Hours Sold (Out Of Sequence)",
    "V": "Contingent Trade",
    "X": "Cross Trade",
    "Z": "Sold (Out Of Sequence)",
}
QUOTE_CONDITIONS = {
    "A": "Slow Quote Offer Side",
    "B": "Slow Quote Bid Side",
    "C": "Closing",
    "H": "Slow Quote Bid And Offer Side",
    "L": "Closed Quote",
    "N": "Non Firm Quote",
    "O": "Opening Quote",
    "R": "Regular Two Sided Open",
    "W": "Slow Quote Set Slow List",
}
_CONDITIONS = {"trade": TRADE_CONDITIONS, "quote": QUOTE_CONDITIONS}


class ReferenceRoutes:
    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{STOCKS}/meta/exchanges", self.exchanges, allow_head=False),
            web.get(f"{STOCKS}/meta/conditions/{{ticktype}}", self.conditions, allow_head=False),
        ]

    async def exchanges(self, request: web.Request) -> web.Response:
        return reply(EXCHANGES)

    async def conditions(self, request: web.Request) -> web.Response:
        """The same for all tapes, which `tape` names."""
        found = _CONDITIONS.get(request.match_info["ticktype"])
        if found is None:
            raise not_found("conditions are those of a trade or a quote")
        if not request.query.get("tape"):
            raise malformed("tape is required")
        query_word(request.query, "tape", "", TAPES)
        return reply(found)
