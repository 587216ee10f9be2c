"""The compiled walk over msgpack: trades and quotes in their usual form to columns, all other messages to be read elsewhere.

One file, because numba's cache does not see a change to a compiled function that lies in another one. It takes nothing on
trust. Whatever is not plainly as `wire` describes it makes the whole burst UNUSUAL, and the decoder of
`frames`, which knows what may be missing, null or of another type, reads it instead. Format: msgpack's specification,
https://github.com/msgpack/msgpack/blob/master/spec.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.domain.market import NANOSECONDS
from engine.market.compiling import compiled, inlined

DONE, UNUSUAL, NEW_WORD, FULL = range(4)
"""What `read` says. FULL: more messages than there are rows."""
TRADES, QUOTES, OTHERS, WORD_AT, WORD_END, WORD_KIND = range(6)
"""What `read` leaves in `found`: how many rows were filled, and with NEW_WORD where it is and what it stands for."""

SYMBOL, EXCHANGE, TAPE, CONDITIONS = range(4)
"""Kinds of words. The word of conditions is their whole array."""
LONGEST_WORD = 14
"""Bytes; two integers hold as many, their kind and their length."""
_HALF = 7

NO_TEXT, NO_CONDITIONS, FIRST_FREE = 1, 2, 3
"""Numbers of words."""

TIME, NUMBER, FIRST_WORD = 0, 1, 2
"""Rows of `trades`; the words follow in the order of their kinds."""
QUOTE_SYMBOL = 1
"""Row of `quotes`, whose first is the time."""
LAST_TIME = (1 << 63) // NANOSECONDS - 1
"""Seconds whose nanoseconds fit."""

_T, _TRADE, _QUOTE = ord("T"), ord("t"), ord("q")
_SYMBOL, _T_TIME, _PRICE, _SIZE, _NUMBER, _EXCHANGE, _CONDITIONS, _TAPE = (ord(letter) for letter in "Stpsixcz")
_BID, _BID_SIZE, _ASK, _ASK_SIZE = (ord(pair[0]) << 8 | ord(pair[1]) for pair in ("bp", "bs", "ap", "as"))
_HAS_SYMBOL, _HAS_TIME, _HAS_1, _HAS_2, _HAS_3, _HAS_4 = 1, 2, 4, 8, 16, 32
_WHOLE_TRADE = _HAS_SYMBOL | _HAS_TIME | _HAS_1 | _HAS_2
_WHOLE_QUOTE = _WHOLE_TRADE | _HAS_3 | _HAS_4


def _sizes() -> Any:
    """By the first byte of a value, how many bytes it has; 0 where that does not say it."""
    sizes = np.zeros(256, np.int64)
    sizes[:0x80] = sizes[0xE0:] = sizes[[0xC0, 0xC2, 0xC3]] = 1
    sizes[0xA0:0xC0] = range(1, 33)
    for first, size in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8), (0xCA, 4), (0xCB, 8)):
        sizes[first] = size + 1
    for first, size in ((0xD0, 1), (0xD1, 2), (0xD2, 4), (0xD3, 8)):
        sizes[first] = size + 1
    sizes[0xD4:0xD9] = [3, 4, 6, 10, 18]
    return sizes


_SIZES = _sizes()


@compiled
def _byte(data: Any, at: int) -> int:
    """With a sign, as all numbers here: numba makes a float of one with and one without."""
    return np.int64(data[at])  # type: ignore[return-value]


@compiled
def _integer(data: Any, at: int, length: int) -> int:
    """Big-endian; of eight bytes the sign is kept."""
    value = _byte(data, at)
    for k in range(at + 1, at + length):
        value = value << 8 | _byte(data, k)
    return value


@compiled
def _after_scalar(data: Any, at: int, end: int) -> int:
    """Where the value at `at` ends; -1 when it is a container, not msgpack, or longer than the frame."""
    if at >= end:
        return -1
    head = _byte(data, at)
    after = at + int(_SIZES[head])
    if after == at:
        if (head == 0xD9 or head == 0xC4) and at + 2 <= end:
            after = at + 2 + _byte(data, at + 1)
        elif (head == 0xDA or head == 0xC5) and at + 3 <= end:
            after = at + 3 + _integer(data, at + 1, 2)
        elif head == 0xC7 and at + 3 <= end:
            after = at + 3 + _byte(data, at + 1)
        else:
            return -1
    return after if after <= end else -1


@compiled
def _after(data: Any, at: int, end: int) -> int:
    """The same for an array of scalars, too."""
    if at >= end:
        return -1
    first = _byte(data, at)
    if 0x90 <= first <= 0x9F:
        count, at = first & 15, at + 1
    elif first == 0xDC and at + 3 <= end:
        count, at = _integer(data, at + 1, 2), at + 3
    else:
        return _after_scalar(data, at, end)
    for _ in range(count):
        at = _after_scalar(data, at, end)
        if at < 0:
            return -1
    return at


@inlined
def _number(data: Any, at: int, after: int) -> tuple[float, bool]:
    """A float or an integer as float; whether it is one."""
    first = _byte(data, at)
    if first == 0xCB:
        return np.uint64(_integer(data, at + 1, 8)).view(np.float64), True
    if first == 0xCA:
        return float(np.uint32(_integer(data, at + 1, 4)).view(np.float32)), True
    whole, is_whole = _whole(data, at, after)
    return float(whole), is_whole


@compiled
def _whole(data: Any, at: int, after: int) -> tuple[int, bool]:
    """An integer of up to 63 bits; whether it is one."""
    first = _byte(data, at)
    if first <= 0x7F:
        return first, True
    if first >= 0xE0:
        return first - 0x100, True
    if 0xCC <= first <= 0xCE:
        return _integer(data, at + 1, after - at - 1), True
    if first == 0xCF and _byte(data, at + 1) < 0x80:
        return _integer(data, at + 1, 8), True
    return 0, False


@compiled
def _time(data: Any, at: int) -> int:
    """Int nanoseconds UTC of the timestamp extension of eight or four bytes; -1 for what is none."""
    head = _byte(data, at)
    if head == 0xD7 and _byte(data, at + 1) == 0xFF:
        high = _integer(data, at + 2, 4)
        seconds = (high & 3) << 32 | _integer(data, at + 6, 4)
        return seconds * NANOSECONDS + (high >> 2) if seconds < LAST_TIME else -1
    if head == 0xD6 and _byte(data, at + 1) == 0xFF:
        return _integer(data, at + 2, 4) * NANOSECONDS
    return -1


@compiled
def key(data: Any, start: int, end: int, kind: int) -> tuple[int, int, int]:
    """Two integers that hold the word, and a hash of them."""
    low, high, mixed = kind << 4 | (end - start), 0, kind
    for k in range(start, min(start + _HALF, end)):
        low = low << 8 | _byte(data, k)
        mixed = (mixed * 31 + _byte(data, k)) & 0x7FFF_FFFF
    for k in range(start + _HALF, end):
        high = high << 8 | _byte(data, k)
        mixed = (mixed * 31 + _byte(data, k)) & 0x7FFF_FFFF
    return low, high, mixed


@compiled
def slot_of(slots: Any, low: int, high: int, mixed: int) -> int:
    """Where the word is, or is to be put: `slots`, as many as a power of two, are the two integers and a number, 0 = free."""
    mask = slots.shape[0] - 1
    at = mixed & mask
    while slots[at, 2] != 0 and (slots[at, 0] != low or slots[at, 1] != high):
        at = (at + 1) & mask
    return int(at)


@compiled
def _word(data: Any, at: int, after: int, kind: int, slots: Any, found: Any) -> int:
    """Its number; 0 when it is new, which `found` tells, or when it is too long or not of its kind."""
    if kind == CONDITIONS:
        start, is_kind = at, 0x90 <= _byte(data, at) <= 0x9F
    else:
        start, is_kind = at + 1, 0xA0 <= _byte(data, at) <= 0xBF
    if not is_kind or after - start > LONGEST_WORD:
        return 0
    low, high, mixed = key(data, start, after, kind)
    number = int(slots[slot_of(slots, low, high, mixed), 2])
    if number == 0:
        found[WORD_AT], found[WORD_END], found[WORD_KIND] = at, after, kind
    return number


@inlined
def _pair(data: Any, at: int, end: int) -> tuple[int, int, int]:
    """Of a pair at `at`: its name of one or two letters as a number, 0 = another; where its value begins; where it ends, -1
    when it is unusual.
    """
    if at + 3 > end:
        return 0, at, -1
    head = _byte(data, at)
    if head == 0xA1:
        name, value = _byte(data, at + 1), at + 2
    elif head == 0xA2:
        name, value = _byte(data, at + 1) << 8 | _byte(data, at + 2), at + 3
    elif 0xA0 <= head <= 0xBF:
        name, value = 0, at + 1 + (head & 31)
    else:
        return 0, at, -1
    if value >= end:
        return 0, at, -1
    size = int(_SIZES[_byte(data, value)])
    if size == 0:
        return name, value, _after(data, value, end)
    return name, value, value + size if value + size <= end else -1


@compiled
def _kind_of_word(name: int) -> int:
    """-1 = the field has no word."""
    if name == _SYMBOL:
        return SYMBOL
    if name == _EXCHANGE:
        return EXCHANGE
    if name == _TAPE:
        return TAPE
    return CONDITIONS if name == _CONDITIONS else -1


@compiled
def _read_trade(
    data: Any, at: int, end: int, pairs: int, slots: Any, trades: Any, values: Any, n: int, found: Any
) -> int:  # fmt: skip
    """Into column `n`; where it ends, -1 when it is unusual or has a new word, which `found` tells."""
    trades[NUMBER, n] = 0
    trades[FIRST_WORD + SYMBOL, n] = trades[FIRST_WORD + EXCHANGE, n] = trades[FIRST_WORD + TAPE, n] = NO_TEXT
    trades[FIRST_WORD + CONDITIONS, n] = NO_CONDITIONS
    has = 0
    for _ in range(pairs):
        name, value, at = _pair(data, at, end)
        if at < 0:
            return -1
        good = name != _T
        kind = _kind_of_word(name)
        if kind >= 0:
            number = _word(data, value, at, kind, slots, found)
            trades[FIRST_WORD + kind, n], good = number, number > 0
            if kind == SYMBOL:
                has |= _HAS_SYMBOL
        elif name == _T_TIME:
            time = _time(data, value)
            trades[TIME, n], good, has = time, time >= 0, has | _HAS_TIME
        elif name == _PRICE:
            values[0, n], good = _number(data, value, at)
            has |= _HAS_1
        elif name == _SIZE:
            values[1, n], good = _number(data, value, at)
            has |= _HAS_2
        elif name == _NUMBER:
            trades[NUMBER, n], good = _whole(data, value, at)
        if not good:
            return -1
    return at if has == _WHOLE_TRADE else -1


@compiled
def _read_quote(
    data: Any, at: int, end: int, pairs: int, slots: Any, quotes: Any, values: Any, n: int, found: Any
) -> int:  # fmt: skip
    has = 0
    for _ in range(pairs):
        name, value, at = _pair(data, at, end)
        if at < 0:
            return -1
        good = name != _T
        if name == _T_TIME:
            time = _time(data, value)
            quotes[TIME, n], good, has = time, time >= 0, has | _HAS_TIME
        elif name == _BID:
            values[0, n], good = _number(data, value, at)
            has |= _HAS_1
        elif name == _BID_SIZE:
            values[1, n], good = _number(data, value, at)
            has |= _HAS_2
        elif name == _ASK:
            values[2, n], good = _number(data, value, at)
            has |= _HAS_3
        elif name == _ASK_SIZE:
            values[3, n], good = _number(data, value, at)
            has |= _HAS_4
        elif name == _SYMBOL:
            number = _word(data, value, at, SYMBOL, slots, found)
            quotes[QUOTE_SYMBOL, n], good, has = number, number > 0, has | _HAS_SYMBOL
        if not good:
            return -1
    return at if has == _WHOLE_QUOTE else -1


@compiled
def _pass_over(data: Any, at: int, end: int, pairs: int) -> int:
    for _ in range(pairs):
        _, _, at = _pair(data, at, end)
        if at < 0:
            return -1
    return at


@compiled
def read(
    data: Any, ends: Any, slots: Any, trades: Any, trade_values: Any, quotes: Any, quote_values: Any, others: Any, found: Any
) -> int:  # fmt: skip
    """`data` is the frames one after another, `ends` where each of them ends.

    `trades` gets time, id, and the numbers of its words in the order of their kinds; `trade_values` price and size.
    `quotes` gets time and symbol; `quote_values` bid, bid size, ask, ask size. `others` gets where a message that is
    neither begins and ends. All have a column for each message.
    """
    at = n_trades = n_quotes = n_others = 0
    most = trades.shape[1]
    found[WORD_KIND] = -1
    for frame in range(ends.shape[0]):
        end = int(ends[frame])
        if at + 3 > end:
            return UNUSUAL
        head = _byte(data, at)
        if 0x90 <= head <= 0x9F:
            count, at = head & 15, at + 1
        elif head == 0xDC:
            count, at = _integer(data, at + 1, 2), at + 3
        else:
            return UNUSUAL
        for _ in range(count):
            if max(n_trades, n_quotes, n_others) >= most:
                return FULL
            begin = at
            if at + 5 > end or not 0x81 <= _byte(data, at) <= 0x8F:
                return UNUSUAL
            pairs = (_byte(data, at) & 15) - 1
            if _byte(data, at + 1) != 0xA1 or _byte(data, at + 2) != _T:
                return UNUSUAL
            kind = _byte(data, at + 4) if _byte(data, at + 3) == 0xA1 else 0
            at = _after_scalar(data, at + 3, end)
            if at < 0:
                return UNUSUAL
            if kind == _TRADE:
                at = _read_trade(data, at, end, pairs, slots, trades, trade_values, n_trades, found)
                n_trades += 1
            elif kind == _QUOTE:
                at = _read_quote(data, at, end, pairs, slots, quotes, quote_values, n_quotes, found)
                n_quotes += 1
            else:
                at = _pass_over(data, at, end, pairs)
                others[n_others, 0], others[n_others, 1] = begin, at
                n_others += 1
            if at < 0:
                return NEW_WORD if found[WORD_KIND] >= 0 else UNUSUAL
        if at != end:
            return UNUSUAL
    found[TRADES], found[QUOTES], found[OTHERS] = n_trades, n_quotes, n_others
    return DONE
