"""How numbers, money and times are written, in one place. Absent values are a dash, never 0 or nan."""

from __future__ import annotations

import math

from engine.domain import shown_times

DASH = "–"


def price(value: float | None) -> str:
    """By tick size: four decimals below a dollar, two above."""
    if value is None or not math.isfinite(value) or value == 0:
        return DASH
    return f"{value:,.4f}" if abs(value) < 1 else f"{value:,.2f}"


def quantity(value: float) -> str:
    return f"{value:,.6f}".rstrip("0").rstrip(".") if value != int(value) else f"{int(value):,}"


def money(value: float) -> str:
    return f"{value:,.2f}" if math.isfinite(value) else DASH


def signed(value: float) -> str:
    """P&L with sign and arrow: ▲ +1,204.50"""
    if not math.isfinite(value):
        return DASH
    if abs(value) < 0.005:
        return "0.00"
    return f"{'▲ +' if value > 0 else '▼ −'}{abs(value):,.2f}"


def percent(value: float, digits: int = 2, sign: bool = False) -> str:
    if not math.isfinite(value):
        return DASH
    text = f"{abs(value):.{digits}%}".replace("%", " %")
    if not any(digit in text for digit in "123456789"):
        return text
    if not sign:
        return f"−{text}" if value < 0 else text
    return f"{'+' if value >= 0 else '−'}{text}"


def tone(value: float) -> str:
    return "up" if value > 0.004 else "down" if value < -0.004 else ""


def clock(timestamp: int) -> str:
    """Time of day of int nanoseconds UTC."""
    return DASH if timestamp <= 0 else shown_times.clock(timestamp)


def exact(timestamp: int) -> str:
    if timestamp <= 0:
        return "never"
    return f"{shown_times.shown(timestamp / 1e9):%Y-%m-%d %H:%M:%S.%f}"[:-3]


def ago(timestamp: int, now: int) -> str:
    """Relative when under a day."""
    return DASH if timestamp <= 0 else f"{duration((now - timestamp) / 1e9)} ago"


def duration(seconds: float) -> str:
    """The largest two units: 1 h 2 min."""
    seconds = max(seconds, 0)
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min {int(seconds % 60)} s" if minutes < 10 else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def size(count: float) -> str:
    """Bytes: 58 MB."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def compact(value: float) -> str:
    """Large counts: 1.2 M."""
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e4)):
        if abs(value) >= factor:
            return f"{value / (1e3 if unit == 'k' else factor):,.1f} {unit}"
    return f"{value:,.0f}"
