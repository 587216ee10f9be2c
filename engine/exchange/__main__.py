"""`python -m engine.exchange --port 8765`: the exchange alone, for whoever develops against it."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from engine.domain.errors import PaddockError
from engine.exchange.assets import DEFAULT_SYMBOLS
from engine.exchange.server import ExchangeOptions, serve


def read_options(arguments: list[str]) -> ExchangeOptions:
    parser = argparse.ArgumentParser(prog="engine.exchange", description="A local exchange that speaks Alpaca's API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--symbols", default=",".join(DEFAULT_SYMBOLS))
    parser.add_argument("--replay", type=Path)
    parser.add_argument("--day")
    parser.add_argument("--start-at", default="09:30")
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--calendar", choices=("24h", "real"), default="24h")
    found = vars(parser.parse_args(arguments))
    found["symbols"] = tuple(name.strip() for name in found["symbols"].split(",") if name.strip())
    return ExchangeOptions(**found)


async def run(options: ExchangeOptions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await serve(options, announce, stop)


def announce(url: str) -> None:
    sys.stdout.write(f"ready {url}\n")


def main() -> int:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        asyncio.run(run(read_options(sys.argv[1:])))
    except PaddockError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
