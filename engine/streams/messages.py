"""What processes say to each other over the hub. A message carries a batch; topics are cheap prefixes.

| topic                 | message        | from → to                              |
|-----------------------|----------------|----------------------------------------|
| candles.TIMEFRAME     | Candles        | feed → bots, recorder, engine          |
| indicators.TIMEFRAME  | Indicators     | feed → engine, recorder                |
| quotes                | Quotes         | feed → engine, recorder (conflated)    |
| feed.status           | FeedStatus     | feed → engine, once a second           |
| feed.health           | StreamHealth   | feed → engine, when a channel changes  |
| feed.gaps             | Gaps           | feed → engine, recorder, once filled   |
| history.request       | HistoryRequest | bot or engine → feed                   |
| history.reply.NAME    | HistoryReply   | feed → whoever asked, NAME             |
| watch                 | Watch          | engine → feed                          |
| signals               | Signals        | bot → engine, recorder                 |
| signals.revised       | RevisedSignals | bot → engine, recorder                 |
| recorder.status       | RecorderStatus | recorder → engine, once a second       |
| bot.status            | BotStatus      | bot → engine, once a second            |
"""

from __future__ import annotations

import msgspec

from engine.domain.market import Bar, IndicatorValues, Timeframe

CANDLES = "candles."
INDICATORS = "indicators."
QUOTES = "quotes"
FEED_STATUS = "feed.status"
FEED_HEALTH = "feed.health"
FEED_GAPS = "feed.gaps"
HISTORY_REQUEST = "history.request"
HISTORY_REPLY = "history.reply."
WATCH = "watch"
SIGNALS = "signals"
REVISED_SIGNALS = "signals.revised"
BOT_STATUS = "bot.status"
RECORDER_STATUS = "recorder.status"


class Candles(msgspec.Struct, frozen=True, tag="candles"):
    """Bars of one timeframe. Closed bars always; growing ones (closed=False) at most four times a second a symbol."""

    timeframe: Timeframe
    bars: list[Bar]


class Indicators(msgspec.Struct, frozen=True, tag="indicators"):
    """Values of one timeframe, given out only for symbols whose history was long enough: none is ever missing."""

    timeframe: Timeframe
    values: list[IndicatorValues]
    past: bool = False
    """Values of bars from before the feed warmed up, for charts: nothing happened now."""


class QuoteState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The last of everything for one symbol: what a watch list shows and what a price collar needs."""

    symbol: str
    last: float
    bid: float
    ask: float
    bid_size: float
    ask_size: float
    previous_close: float
    day_volume: float
    timestamp: int


class Quotes(msgspec.Struct, frozen=True, tag="quotes"):
    """Conflated: the last state of each symbol that changed since the message before."""

    quotes: list[QuoteState]


class FeedStatus(msgspec.Struct, frozen=True, kw_only=True, tag="feed_status"):
    """The health of one feed worker. Ages are seconds, -1 = nothing yet."""

    feed: str
    source: str
    """Such as "iex", "sip", "crypto us"."""
    connected: bool
    age: float
    messages: int
    message_rate: float
    reconnects: int = 0
    rejected: int = 0
    """Messages refused by validation."""
    symbols: list[str] = []
    unknown_symbols: list[str] = []
    not_sent: list[str] = []
    """Symbols that the venue knows and, asked again and again, does not stream."""
    error: str = ""
    channels: dict[str, str] = {}
    """How trades, quotes and bars fare, such as "live", "quiet", "late", "mute"; by the source that is in use."""
    fallback: str = ""
    """The source that stands in, empty while the first one works."""
    conflated: int = 0
    """Quotes that a newer one of the same symbol took the place of, because the feed was behind."""
    shed: dict[str, int] = {}
    """What was left out because of that, by kind; trades among it were read over REST afterwards."""
    refused: dict[str, int] = {}
    """Messages refused by validation, by reason; duplicates among them."""
    filled: int = 0
    """Trades and minutes that were read afterwards, to fill gaps of the stream."""
    history: dict[str, tuple[int, int]] = {}
    """How often each layer of the history's cache had what was looked for, and how often it was asked."""
    warm: tuple[int, int] = (0, 0)
    """Series of indicators whose values are given out, and all: one for each symbol and timeframe."""
    behind: float = 0.0
    """Seconds that the newest message is behind the venue's clock while messages come; 0 where they do not."""
    standing_by: list[str] = []
    """Symbols that are followed, are up to date and are not spoken for yet: another feed still has the word."""


UNWELL = frozenset({"mute", "late", "fallback"})
"""What a channel, or the source, may be said to be that a person should know of."""


class StreamHealth(msgspec.Struct, frozen=True, kw_only=True, tag="stream_health"):
    """A channel of a source changed, or another source took over."""

    feed: str
    source: str
    channel: str
    """trades, quotes, bars, or source when it is the source itself."""
    was: str
    now: str
    words: str
    """For a person."""
    at: int
    """Wall time, int nanoseconds UTC."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which a symbol's stream was missed, and what was read for it afterwards. Times of the venue, int ns UTC."""

    symbol: str
    start: int
    end: int
    source: str
    """Who told what was missed."""
    trades: int
    minutes: int
    """The venue's own minutes that were read for it."""
    whole: bool
    """False where more was missed than can be read as trades: minutes are whole, seconds are not."""


class Gaps(msgspec.Struct, frozen=True, tag="gaps"):
    feed: str
    gaps: list[Gap]


class HistoryRequest(msgspec.Struct, frozen=True, kw_only=True, tag="history_request"):
    """Closed bars wanted, newest `limit` of them; the answer goes to history.reply.REQUESTER."""

    requester: str
    request_id: str
    symbol: str
    timeframe: Timeframe
    limit: int


class HistoryReply(msgspec.Struct, frozen=True, kw_only=True, tag="history_reply"):
    request_id: str
    symbol: str
    timeframe: Timeframe
    bars: list[Bar]
    error: str = ""


class Watch(msgspec.Struct, frozen=True, kw_only=True, tag="watch"):
    """Symbols to add to, or take out of, a feed's subscription while it runs.

    `since` and `until` pass the word from one feed to another (see engine/market/tenure.py): times of the tape, int
    nanoseconds UTC, 0 = at once.
    """

    add: list[str] = []
    remove: list[str] = []
    feed: str = ""
    """For whom it is; empty for every feed."""
    since: int = 0
    until: int = 0


class Signal(msgspec.Struct, frozen=True, kw_only=True):
    """A bot's wish. `weight` in [-1, 1] is the share of the capital that the sleeve gives to this symbol."""

    signal_id: str
    sleeve: str
    strategy: str
    symbol: str
    weight: float
    confidence: float
    price: float
    as_of: int
    """Venue time of the end of the bar that the signal follows from."""
    made_at: int
    """Our wall time; the signal expires 30 s (by default) after it."""
    reason: str = ""


class Signals(msgspec.Struct, frozen=True, tag="signals"):
    signals: list[Signal]


class RevisedSignal(msgspec.Struct, frozen=True, kw_only=True):
    """A signal that would be another one, because a bar that it followed from was corrected afterwards."""

    signal_id: str
    sleeve: str
    strategy: str
    symbol: str
    timeframe: Timeframe
    bar: int
    """Start of the corrected bar; int nanoseconds UTC, as all times here."""
    revision: int
    as_of: int
    """Of the signal."""
    was: float
    would_be: float
    """Weights of the capital, as in a signal."""
    price: float
    """Close of the signal's bar as it is now."""
    at: int
    """Our wall time."""


class RevisedSignals(msgspec.Struct, frozen=True, tag="revised_signals"):
    signals: list[RevisedSignal]


class BotStatus(msgspec.Struct, frozen=True, kw_only=True, tag="bot_status"):
    name: str
    bars_seen: int
    signals: int
    last_bar_at: int = 0
    warm: bool = False
    error: str = ""


class RecorderStatus(msgspec.Struct, frozen=True, kw_only=True, tag="recorder_status"):
    """How the market database keeps up. `lag` is the seconds from the arrival of a row to its commit."""

    database: str
    """A file or a server, without its password."""
    rows: int
    """Written since the recorder started."""
    row_rate: float
    lag: float
    waiting: int
    dropped: int
    """Lost: too many rows waited, or the hub outran the recorder."""
    refused: int
    """Rows that no database may be given, such as one with NaN for a price."""
    size_bytes: int
    error: str = ""


Message = (
    Candles
    | Indicators
    | Quotes
    | FeedStatus
    | StreamHealth
    | Gaps
    | HistoryRequest
    | HistoryReply
    | Watch
    | Signals
    | RevisedSignals
    | BotStatus
    | RecorderStatus
)
