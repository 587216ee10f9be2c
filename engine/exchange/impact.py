"""What an order's own size does to its price: the square-root law of market impact.

Source: B. Torre, BARRA Market Impact Model Handbook (1997); Almgren, Thum, Hauptmann, Li, "Direct estimation of equity
market impact" (2005): impact = Y * sigma * sqrt(Q / V), with volatility sigma and volume V over the same span. The span
cancels out, so sigma^2 / V is measured directly as the variance of the mid price per traded unit.
"""

from __future__ import annotations

import math

import msgspec

PRINTS = 500
"""Over how many prints the averages forget."""
LARGEST = 0.05
"""No single fill moves the price further than this share of it."""


class Flow(msgspec.Struct):
    """One symbol's running averages; `variance` of the relative move of the mid between prints, `size` in units."""

    mid: float = 0.0
    variance: float = 0.0
    size: float = 0.0
    prints: int = 0

    def add(self, mid: float, size: float) -> None:
        """Take a print of `size` units into account while the market's middle stands at `mid`."""
        self.prints += 1
        weight = 1 / min(self.prints, PRINTS)
        if self.mid > 0:
            self.variance += weight * ((mid / self.mid - 1) ** 2 - self.variance)
        self.size += weight * (size - self.size)
        self.mid = mid

    def impact(self, quantity: float) -> float:
        """The relative move that an order of `quantity` units causes, for Y = 1; 0 before anything is known."""
        if self.size <= 0:
            return 0.0
        return min(math.sqrt(self.variance * quantity / self.size), LARGEST)
