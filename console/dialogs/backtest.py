"""File → Backtest…: strategy with its parameters, symbol, data, dates and costs; checked before it is run."""

from __future__ import annotations

import typing
from collections.abc import Callable
from pathlib import Path

import msgspec
from PySide6.QtCore import QSettings
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from console.widgets.layout import button, label, row, set_tone
from engine.backtest.result import BacktestSpec
from engine.domain.errors import ConfigurationError
from engine.domain.market import Timeframe
from engine.strategies.catalogue import build, catalogue

AS_IN_FILE = "as in the file"
FIRST_PARAMETER = 2
"""The row of the form below the strategy and what it is."""


class BacktestDialog(QDialog):
    """`on_accept` gets the finished request. Remembers what was chosen last."""

    def __init__(self, parent: QWidget, store: QSettings, on_accept: Callable[[BacktestSpec], None]) -> None:
        super().__init__(parent)
        self.setWindowTitle("Backtest")
        self.setMinimumWidth(520)
        self._store = store
        self._on_accept = on_accept
        self._entries = catalogue()
        self._fields: dict[str, QLineEdit] = {}
        self._strategy = QComboBox()
        self._strategy.setObjectName("backtest.strategy")
        for entry in self._entries:
            self._strategy.addItem(entry.title, entry.name)
        self._about = label("", "muted")
        self._about.setWordWrap(True)
        self._path = self._line("backtest.path", str(store.value("backtest/path", "")))
        self._path.setPlaceholderText("Parquet or CSV: timestamp, open, high, low, close, volume")
        browse = button("Browse…", "backtest.browse")
        browse.clicked.connect(self._browse)
        self._symbol = self._line("backtest.symbol", str(store.value("backtest/symbol", "")))
        self._timeframe = QComboBox()
        self._timeframe.addItems([AS_IN_FILE, *[t.value for t in Timeframe if t is not Timeframe.SECOND_1]])
        self._start, self._end = self._line("backtest.start"), self._line("backtest.end")
        for field in (self._start, self._end):
            field.setPlaceholderText("YYYY-MM-DD")
        self._capital = self._line("backtest.capital", "100000")
        self._commission, self._slippage = self._line("backtest.commission", "0"), self._line("backtest.slippage", "1")
        self._short = QCheckBox("may sell short")
        self._problem = label("", "", "backtest.problem")
        self._problem.setWordWrap(True)
        set_tone(self._problem, "bad")
        self._form = form = QFormLayout()
        form.addRow("Strategy", self._strategy)
        form.addRow("", self._about)
        form.addRow("Data", row(self._path, browse))
        form.addRow("Symbol", self._symbol)
        form.addRow("Bars", self._timeframe)
        form.addRow("From, to", row(self._start, self._end))
        form.addRow("Capital ($)", self._capital)
        form.addRow("Commission ($ a share), slippage (bp)", row(self._commission, self._slippage))
        form.addRow("", self._short)
        buttons = QDialogButtonBox()
        buttons.addButton("Cancel", QDialogButtonBox.ButtonRole.RejectRole)
        run = button("Run", "backtest.run", "primary")
        buttons.addButton(run, QDialogButtonBox.ButtonRole.AcceptRole)
        run.setDefault(True)
        buttons.accepted.connect(self._run)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self._problem)
        layout.addWidget(buttons)
        self._strategy.currentIndexChanged.connect(lambda _: self._show_parameters())
        self._path.textChanged.connect(self._guess_symbol)
        self._show_parameters()

    def _line(self, name: str, text: str = "") -> QLineEdit:
        field = QLineEdit(text)
        field.setObjectName(name)
        return field

    def _show_parameters(self) -> None:
        for line in self._fields.values():
            self._form.removeRow(line)
        self._fields.clear()
        entry = self._entries[self._strategy.currentIndex()]
        self._about.setText(entry.description)
        hints = typing.get_type_hints(entry.parameters, include_extras=True)
        for field in msgspec.structs.fields(entry.parameters):
            meta = next(
                (m for m in getattr(hints[field.name], "__metadata__", ()) if isinstance(m, msgspec.Meta)), None
            )
            line = self._line(f"backtest.parameter.{field.name}", f"{field.default}")
            line.setToolTip(_range(meta))
            name = QLabel(field.name.replace("_", " "))
            name.setToolTip(_range(meta))
            self._form.insertRow(FIRST_PARAMETER + len(self._fields), name, line)
            self._fields[field.name] = line

    def _browse(self) -> None:
        dialog = QFileDialog(
            self, "Market data", str(Path(self._path.text() or ".").parent), "Market data (*.parquet *.csv)"
        )
        dialog.fileSelected.connect(self._path.setText)
        dialog.open()

    def _guess_symbol(self, text: str) -> None:
        self._symbol.setText(Path(text).stem.upper())

    def _run(self) -> None:
        try:
            spec = self.read()
        except ConfigurationError as error:
            self._problem.setText(f"{error.message} {error.remedy}")
            return
        self._store.setValue("backtest/path", self._path.text())
        self._store.setValue("backtest/symbol", self._symbol.text())
        self._on_accept(spec)
        self.accept()

    def read(self) -> BacktestSpec:
        """Raises ConfigurationError naming what is wrong."""
        path = Path(self._path.text().strip()).expanduser()
        if not self._path.text().strip() or not path.is_file():
            raise ConfigurationError(f"There is no file {path}.", "Choose a Parquet or CSV file.")
        name = str(self._strategy.currentData())
        parameters: dict[str, float | int | bool | str] = {k: field.text().strip() for k, field in self._fields.items()}
        build(name, parameters)
        chosen = self._timeframe.currentText()
        return BacktestSpec(
            strategy=name,
            symbol=self._symbol.text().strip() or path.stem,
            path=str(path.absolute()),
            parameters=parameters,
            timeframe=None if chosen == AS_IN_FILE else Timeframe(chosen),
            start=self._start.text().strip(),
            end=self._end.text().strip(),
            capital=_number(self._capital, "capital", 1),
            commission_per_share=_number(self._commission, "commission", 0),
            slippage_bps=_number(self._slippage, "slippage", 0),
            allow_short=self._short.isChecked(),
        )


def _number(field: QLineEdit, name: str, least: float) -> float:
    try:
        value = float(field.text())
    except ValueError:
        value = float("nan")
    if not least <= value < 1e12:
        raise ConfigurationError(f"The {name} must be a number of at least {least:g}.")
    return value


def _range(meta: msgspec.Meta | None) -> str:
    if meta is None:
        return ""
    low, high = meta.ge if meta.ge is not None else "", meta.le if meta.le is not None else ""
    return f"{meta.description or ''} ({low} to {high})".strip()
