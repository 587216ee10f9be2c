"""`python -m tests.benchmarks.engine`: the trading engine's own speed, one JSON line for each figure.

PADDOCK_PEERS names an interpreter that has vnpy, nautilus_trader and pyee; what it lacks is left out.
"""

from __future__ import annotations

from tests.benchmarks import bus, orders, recovery


def main() -> None:
    bus.measure()
    orders.measure()
    recovery.measure()


if __name__ == "__main__":
    main()
