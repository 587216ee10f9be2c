"""`paddock journal`: look into the order journal, prove that nobody changed it, take it elsewhere. Reads only."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import typer

from engine.domain.errors import ConfigurationError
from engine.domain.orders import Fill, Order
from engine.storage.trail import Row, read_trail, verify

COLUMNS = (
    "number", "time", "kind", "client_order_id", "sleeve", "symbol", "side", "quantity", "type", "limit_price",
    "status", "filled_quantity", "price", "fee", "execution_id", "venue_order_id", "message", "hash",
)  # fmt: skip


def show(path: Path, last: int, order: str) -> None:
    """The newest `last` rows, oldest first; only those of one order where `order` names it."""
    lines = [line for line in entries(path) if order in ("", line["client_order_id"])]
    for line in lines[-last:]:
        typer.echo(_line(line))
    if not lines:
        typer.echo("The journal has nothing to show." if not order else f"The journal has nothing on {order}.")


def check(path: Path) -> None:
    """Raises DataError when a row was changed, removed or put in between."""
    count, last = verify(path)
    typer.echo(f"{path}: {count} rows, none changed. Hash of the last: {last.hex()}")


def export(path: Path, target: Path) -> None:
    """CSV or JSON lines by the ending of `target`. Raises ConfigurationError for another, DataError for a bad journal."""
    if target.suffix not in (".csv", ".jsonl"):
        raise ConfigurationError(f"{target.name} is neither .csv nor .jsonl.", "Choose one of the two endings.")
    try:
        with ExitStack() as opened:
            file = opened.enter_context(target.open("w", newline="", encoding="utf-8"))
            count = _write_csv(path, file) if target.suffix == ".csv" else _write_lines(path, file)
    except OSError as error:
        raise ConfigurationError(f"{target} cannot be written: {error.strerror}.", "Choose another place.") from None
    typer.echo(f"{target}: {count} rows")


def entries(path: Path) -> Iterator[dict[str, Any]]:
    """Each row of the trail with the columns of COLUMNS, text or empty."""
    for number, row, row_hash in read_trail(path):
        found = _columns(row)
        yield dict.fromkeys(COLUMNS, "") | found | {"number": number, "kind": row.kind, "hash": row_hash.hex()}


def _columns(row: Row) -> dict[str, Any]:
    if row.kind == "order":
        order = msgspec.json.decode(row.body, type=Order)
        fields = {name: getattr(order, name) for name in COLUMNS if hasattr(order, name)}
        return _texts(fields | {"time": _time(order.updated_at), "price": order.average_fill_price})
    if row.kind == "fill":
        fill = msgspec.json.decode(row.body, type=Fill)
        fields = {name: getattr(fill, name) for name in COLUMNS if hasattr(fill, name)}
        return _texts(fields | {"time": _time(fill.timestamp)})
    return {"message": f"{row.key} = {row.body.decode(errors='replace')}"}


def _texts(fields: dict[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in fields.items()}


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1e9, UTC).isoformat(timespec="milliseconds") if at else ""


def _line(entry: dict[str, Any]) -> str:
    about = " ".join(
        str(entry[name])
        for name in ("status", "side", "quantity", "symbol", "type", "limit_price", "client_order_id", "message")
        if entry[name]
    )
    price = f" at {entry['price']}" if entry["price"] else ""
    return f"{entry['number']:>7}  {entry['time']:24}  {entry['kind']:5}  {about}{price}"


def _write_csv(path: Path, file: Any) -> int:
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    count = 0
    for entry in entries(path):
        writer.writerow(entry)
        count += 1
    return count


def _write_lines(path: Path, file: Any) -> int:
    count = 0
    for entry in entries(path):
        file.write(json.dumps(entry) + "\n")
        count += 1
    return count
