"""Curves as SVG paths for a page without scripts."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

WIDTH = 960
MOST_POINTS = 800
MARGIN = 70


class Curve(msgspec.Struct, frozen=True):
    name: str
    values: Sequence[float]


class Drawing(msgspec.Struct, frozen=True):
    """`paths` are (name, d); `labels` are (y, text), top and bottom."""

    width: int
    height: int
    paths: list[tuple[str, str]]
    labels: list[tuple[float, str]]


def chart(curves: Sequence[Curve], height: int, unit: str = "") -> Drawing:
    everything = [value for curve in curves for value in curve.values]
    low, high = min(everything), max(everything)
    span = (high - low) or 1.0

    def y(value: float) -> float:
        return round(8 + (high - value) / span * (height - 16), 1)

    paths: list[tuple[str, str]] = []
    for curve in curves:
        count = len(curve.values)
        step = max(count // MOST_POINTS, 1)
        chosen = [*range(0, count, step), count - 1]
        points = [(round(i / max(count - 1, 1) * (WIDTH - MARGIN), 1), y(curve.values[i])) for i in chosen]
        paths.append((curve.name, "M" + " L".join(f"{a},{b}" for a, b in points)))
    return Drawing(WIDTH, height, paths, [(y(high) + 4, f"{high:,.2f}{unit}"), (y(low), f"{low:,.2f}{unit}")])
