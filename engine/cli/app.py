"""The commands that need no window."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from engine.cli.backup_command import backup_app
from engine.cli.db_command import db_app
from engine.cli.exchange_command import exchange
from engine.cli.history_command import history_app
from engine.cli.options import Data, Demo, Live, Paper, Replay, Seed, Speed, Symbols, report_errors, settings_from
from engine.cli.process_commands import capacity, logs, ps, restart, start, stop
from engine.domain.errors import ConfigurationError

app = typer.Typer(
    name="paddock",
    help="An operations console for people who trade through Alpaca with bots.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="Show, check and find the configuration.", no_args_is_help=True)
app.add_typer(config_app, name="config")
hub_app = typer.Typer(help="The hub between processes: its keys, and whether it answers.", no_args_is_help=True)
app.add_typer(hub_app, name="hub")
journal_app = typer.Typer(help="Look into the order journal; it is only read.", no_args_is_help=True)
app.add_typer(journal_app, name="journal")
app.add_typer(history_app, name="history")
app.add_typer(db_app, name="db")
app.add_typer(backup_app, name="backup")


@app.command()
@report_errors
def headless(
    demo: Demo = False,
    paper: Paper = False,
    live: Live = False,
    data: Data = None,
    replay: Replay = None,
    symbols: Symbols = None,
    speed: Speed = None,
    seed: Seed = None,
) -> None:
    """Run the engine without a window until Ctrl+C."""
    settings = settings_from(
        demo=demo, paper=paper, live=live, data=data, replay=replay, symbols=symbols, speed=speed, seed=seed
    )
    from engine.cli.headless import run_headless

    raise typer.Exit(run_headless(settings))


app.command()(report_errors(exchange))
for command in (ps, start, stop, restart, logs, capacity):
    app.command()(report_errors(command))


@app.command()
def worker(kind: Annotated[str, typer.Argument(help="exchange, hub, feed, bot, recorder or backtest")]) -> None:
    """Run one worker; its settings come as one line of JSON on stdin."""
    from engine.workers.__main__ import main

    raise typer.Exit(main([kind]))


@app.command()
@report_errors
def backtest(
    strategy: Annotated[str, typer.Argument(help="Such as sma-cross or rsi-reversion.")],
    data: Annotated[
        Path, typer.Option("--data", help="Parquet or CSV with timestamp, open, high, low, close, volume.")
    ],
    param: Annotated[list[str] | None, typer.Option("--param", help="name=value; may be given again.")] = None,
    report: Annotated[Path | None, typer.Option("--report", help="Write the report to FILE.html or FILE.csv.")] = None,
    symbol: Annotated[str | None, typer.Option(help="The file's name without its ending, if not given.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="Resample to 1m, 5m, 15m, 1h, 4h or 1d.")] = None,
    start: Annotated[str, typer.Option(help="First day, YYYY-MM-DD.")] = "",
    end: Annotated[str, typer.Option(help="Last day, YYYY-MM-DD.")] = "",
    capital: Annotated[float, typer.Option(min=1.0, help="Dollars.")] = 100_000.0,
    commission: Annotated[float, typer.Option(min=0.0, help="Dollars a share.")] = 0.0,
    slippage: Annotated[float, typer.Option(min=0.0, help="Basis points of the price.")] = 1.0,
    allow_short: Annotated[bool, typer.Option(help="Let the strategy sell short.")] = False,
) -> None:
    """Run a strategy on history and print what it would have made."""
    from engine.cli.backtest import Wanted, run_backtest

    wanted = Wanted(
        strategy=strategy, data=data, parameters=_parameters(param or []), report=report, symbol=symbol,
        timeframe=timeframe, start=start, end=end, capital=capital, commission=commission, slippage=slippage,
        allow_short=allow_short,
    )  # fmt: skip
    run_backtest(wanted)


@app.command()
@report_errors
def flatten(
    paper: Paper = False,
    live: Live = False,
    data: Data = None,
    keep_positions: Annotated[bool, typer.Option("--keep-positions", help="Only cancel the orders.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before touching the live account.")] = False,
    patience: Annotated[
        float, typer.Option(min=1.0, max=3_600.0, help="Seconds for which a venue that does not answer is asked again.")
    ] = 60.0,
) -> None:
    """Cancel every order and close every position, and ask the venue until it is so. Needs no console.

    Trading is halted until somebody activates it in the console. The exit code is 0 only when the venue confirmed it.
    """
    settings = settings_from(paper=paper, live=live, data=data)
    from engine.cli.flatten import run_flatten

    raise typer.Exit(run_flatten(settings, keep_positions=keep_positions, confirmed=yes, limit=patience))


@journal_app.command("show")
@report_errors
def journal_show(
    data: Data = None,
    paper: Paper = False,
    live: Live = False,
    last: Annotated[int, typer.Option(min=1, help="How many rows.")] = 50,
    order: Annotated[str, typer.Option(help="Only those of this client order id.")] = "",
) -> None:
    """Print the newest rows: every state that every order went through, every fill."""
    from engine.cli.journal import show

    show(_journal(data, paper, live), last, order)


@journal_app.command("verify")
@report_errors
def journal_verify(data: Data = None, paper: Paper = False, live: Live = False) -> None:
    """Prove by the chain of hashes that no row was changed, removed or put in between."""
    from engine.cli.journal import check

    check(_journal(data, paper, live))


@journal_app.command("export")
@report_errors
def journal_export(
    target: Annotated[Path, typer.Argument(help="FILE.csv or FILE.jsonl")],
    data: Data = None,
    paper: Paper = False,
    live: Live = False,
) -> None:
    """Write all rows to a file."""
    from engine.cli.journal import export

    export(_journal(data, paper, live), target)


def _journal(data: Path | None, paper: bool, live: bool) -> Path:
    from engine.config import load_settings
    from engine.installation import Installation, folder_name

    name = "live" if live else "paper" if paper else None
    settings = load_settings(data, {"environment": name})
    return Installation(settings.data, folder_name(settings)).journal


@hub_app.command("check")
@report_errors
def hub_check(data: Data = None, paper: Paper = False, live: Live = False) -> None:
    """Send a message over the Redis or Kafka of the configuration and wait until it comes back."""
    settings = settings_from(paper=paper, live=live, data=data)
    from engine.cli.hub import check

    check(settings)


@hub_app.command("key")
def hub_key() -> None:
    """Make a key that seals messages on Redis or Kafka; print it as the configuration file wants it."""
    from engine.cli.hub import key

    key()


@config_app.command("show")
@report_errors
def config_show(data: Data = None) -> None:
    """Print the settings that hold, as TOML; secrets are masked."""
    from engine.config import load_settings
    from engine.config.show import as_toml

    typer.echo(as_toml(load_settings(data)), nl=False)


@config_app.command("validate")
@report_errors
def config_validate(data: Data = None) -> None:
    """Check the configuration as a start would, and say what is wrong."""
    from engine.config import config_path

    settings_from(data=data)
    path = config_path(data)
    typer.echo(f"{path}: good" if path.is_file() else f"No file at {path}; the defaults are good.")


@config_app.command("path")
@report_errors
def config_path_command(data: Data = None) -> None:
    """Print where the configuration file is, or would be."""
    from engine.config import config_path

    typer.echo(config_path(data))


def _parameters(pairs: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name or not value:
            raise ConfigurationError(f"{pair!r} is not name=value.", "Write it as --param fast=10.")
        found[name.strip()] = value.strip()
    return found


def main() -> None:
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(line_buffering=True)
    app()
