"""`paddock`: the console, and every command of `engine.cli`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.app import app
from engine.cli.options import Data, Demo, Live, Paper, Replay, Seed, Speed, Symbols, report_errors, settings_from


@app.command()
@report_errors
def gui(
    demo: Demo = False,
    paper: Paper = False,
    live: Live = False,
    data: Data = None,
    replay: Replay = None,
    symbols: Symbols = None,
    speed: Speed = None,
    seed: Seed = None,
    theme: Annotated[str | None, typer.Option(help="dark or light")] = None,
    exit_after: Annotated[float | None, typer.Option(min=0, help="Leave after SECONDS; for smoke tests.")] = None,
    screenshots: Annotated[Path | None, typer.Option(help="Save a PNG of each tab to DIR before leaving.")] = None,
) -> None:
    """Open the window (what `paddock` alone does, too)."""
    from console.display import require_display
    from engine.domain.errors import ConfigurationError

    require_display()
    if theme not in {None, "dark", "light"}:
        raise ConfigurationError(f"There is no theme {theme}.", "Choose dark or light.")
    settings = settings_from(
        demo=demo, paper=paper, live=live, data=data, replay=replay, symbols=symbols, speed=speed, seed=seed
    )
    from console.app import ConsoleSettings, run_console
    from engine.installation import Installation, folder_name

    with Installation(settings.data, folder_name(settings), fresh=settings.exchange.replay is not None) as installation:
        chosen = ConsoleSettings(
            environment=settings.environment.value,
            folder=settings.data,
            theme=theme or settings.console.theme,
            times=settings.console.times,
            refresh_hz=settings.console.refresh_hz,
            exit_after=exit_after,
            screenshots=screenshots,
        )

        def make_engine() -> object:
            # The engine brings aiohttp's, zmq's and SQLite's weight: after the first paint.
            from engine.orchestrator.engine import TradingEngine

            return TradingEngine(settings, installation)

        raise typer.Exit(run_console(chosen, make_engine))


def main() -> None:
    """`paddock` without a command, or with options only, opens the window."""
    arguments = sys.argv[1:]
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in {"--help", "-h"}):
        sys.argv.insert(1, "gui")
    app(prog_name="paddock")


if __name__ == "__main__":
    main()
