"""Curves as SVG paths for a page without scripts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np

from engine.strategies.base import FloatArray

WIDTH = 960
MARGIN = 90
BUCKETS = 400


class Curve(msgspec.Struct, frozen=True):
    """`kind` is its class in the style sheet."""

    kind: str
    name: str
    values: Sequence[float]


class Drawing(msgspec.Struct, frozen=True):
    """`paths` are (kind, name, d); `labels` are (y, text) on the right."""

    width: int
    height: int
    paths: list[tuple[str, str, str]]
    labels: list[tuple[float, str]]


def chart(curves: Sequence[Curve], height: int, unit: str = "") -> Drawing:
    low = min(min(curve.values) for curve in curves)
    high = max(max(curve.values) for curve in curves)
    span = (high - low) or 1.0
    paths: list[tuple[str, str, str]] = []
    for curve in curves:
        values = np.asarray(curve.values, dtype=np.float64)
        rows = turning_rows(values, BUCKETS)
        x = rows / max(len(values) - 1, 1) * (WIDTH - MARGIN)
        y = 8 + (high - values[rows]) / span * (height - 16)
        points = [f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True)]
        paths.append((curve.kind, curve.name, "M" + " L".join(points)))
    labels = [(12.0, f"{high:,.2f}{unit}"), (height - 4.0, f"{low:,.2f}{unit}")]
    return Drawing(WIDTH, height, paths, labels)


def turning_rows(values: FloatArray, buckets: int) -> np.ndarray:
    """The rows that a drawing of `values` needs: first, last, and the lowest and highest of each bucket."""
    count = len(values)
    if count <= 2 * buckets:
        return np.arange(count)
    edges = np.linspace(0, count, buckets + 1).astype(int).tolist()
    chosen = {0, count - 1}
    for begin, end in pairwise(edges):
        part = values[begin:end]
        chosen |= {begin + int(part.argmin()), begin + int(part.argmax())}
    return np.array(sorted(chosen))
