"""Reports of a run: one HTML page that needs nothing else, or CSV tables. Written whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path, PureWindowsPath

from engine.backtest.figures import compared
from engine.backtest.result import BacktestResult
from engine.backtest.svg import Curve, chart
from engine.domain.errors import DataError

TRADES_SHOWN = 1_000
"""Rows in the page; the CSV has all."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_html(result: BacktestResult, path: Path) -> Path:
    """Raises DataError when the file cannot be written."""
    # Imported here: only whoever writes a report needs it.
    import jinja2

    text = (resources.files("resources") / "report" / "backtest.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["day"] = _day
    page = environment.from_string(text).render(
        result=result,
        spec=result.spec,
        # A path of either system: results travel.
        data=PureWindowsPath(result.spec.path).name,
        figures=compared(result),
        trades=result.trades[:TRADES_SHOWN],
        equity=chart(
            [Curve("benchmark", "buy and hold", result.benchmark), Curve("strategy", "strategy", result.equity)], 240
        ),
        drawdown=chart([Curve("drawdown", "drawdown", [value * 100 for value in result.drawdown])], 110, unit=" %"),
    )
    return _write(path, page)


def write_csv(result: BacktestResult, path: Path) -> Path:
    """Trades in `path`, equity bar by bar beside it in NAME-equity.csv, figures in NAME-figures.csv."""
    trades = io.StringIO()
    writer = csv.writer(trades)
    writer.writerow(
        ["symbol", "side", "opened", "closed", "quantity", "entry", "exit", "pnl", "return_pct", "bars", "fees"]
    )
    for trade in result.trades:
        writer.writerow(
            [
                _plain(result.spec.symbol), trade.side, _iso(trade.opened_at), _iso(trade.closed_at), trade.quantity,
                trade.entry_price, trade.exit_price, trade.pnl, trade.return_pct, trade.bars_held, trade.fees,
            ]
        )  # fmt: skip
    equity = io.StringIO()
    writer = csv.writer(equity)
    writer.writerow(["timestamp", "close", "position", "equity", "buy_and_hold", "drawdown"])
    columns = (result.timestamps, result.close, result.position, result.equity, result.benchmark, result.drawdown)
    writer.writerows((_iso(at), *rest) for at, *rest in zip(*columns, strict=True))
    figures = io.StringIO()
    writer = csv.writer(figures)
    writer.writerow(["figure", "value"])
    writer.writerows(sorted(result.metrics.items()))
    _write(path.with_name(f"{path.stem}-equity.csv"), equity.getvalue())
    _write(path.with_name(f"{path.stem}-figures.csv"), figures.getvalue())
    return _write(path, trades.getvalue())


def _write(path: Path, text: str) -> Path:
    """Beside the target first, then in its place: a full disk leaves the old report whole."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, "utf-8", newline="")
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise DataError(
            f"{path} cannot be written: {error.strerror or error}.", "Choose another folder, or free some space."
        ) from error
    return path


def _day(timestamp: int) -> str:
    return f"{datetime.fromtimestamp(timestamp / 1e9, UTC):%Y-%m-%d %H:%M}"


def _iso(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp / 1e9, UTC).isoformat()


def _plain(text: str) -> str:
    """A spreadsheet must not take a name for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
