"""The commands of the menus, and the palette that finds them and the symbols by name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMessageBox

from console.dialogs.stop_critical import stop_with_care
from console.paper import paper_actions
from console.widgets.palette import Command, Palette
from console.window import Action, Window
from engine.domain.shown_times import Times

if TYPE_CHECKING:
    from console.desk import Desk


def menu_actions(desk: Desk) -> list[Action]:
    control, window, spawn = desk.control, desk.window, desk.tasks.spawn

    def processes(what: str) -> None:
        rows = list(control.views.processes)
        command = {
            "start": control.start_processes,
            "stop": control.stop_processes,
            "restart": control.restart_processes,
        }[what]

        def go() -> None:
            spawn(command([row.name for row in rows]), f"{what} all")

        if what == "start":
            go()
        else:
            stop_with_care(window, control.views, rows, go)

    return [
        Action("&File", "&Backtest…", "file.backtest", desk.new_backtest, "Ctrl+B"),
        Action("&File/&Export report", "&HTML…", "file.export.html", lambda: desk.export("html")),
        Action("&File/&Export report", "&CSV…", "file.export.csv", lambda: desk.export("csv")),
        Action("&File", "&Quit", "file.quit", window.close, "Ctrl+Q"),
        Action("&View", "&Overview", "view.overview", lambda: desk.open("overview"), "Ctrl+1"),
        Action("&View", "&Trading", "view.trading", lambda: desk.open("trading"), "Ctrl+2"),
        Action("&View", "&Processes", "view.processes", lambda: desk.open("processes"), "Ctrl+3"),
        Action("&View", "AI &Bots", "view.bots", lambda: desk.open("bots"), "Ctrl+4"),
        Action("&View", "&Errors && Alerts", "view.errors", lambda: desk.open("errors"), "Ctrl+5"),
        Action("&View", "Back&tests", "view.backtests", lambda: desk.open("backtests"), "Ctrl+6"),
        Action("&View", "&Dark theme", "view.dark", lambda: window.set_theme("dark")),
        Action("&View", "&Light theme", "view.light", lambda: window.set_theme("light")),
        Action(
            "&View/T&imes",
            "&New York, as the exchanges",
            "view.times.exchange",
            partial(window.set_times, Times.EXCHANGE),
        ),
        Action("&View/T&imes", "This &machine", "view.times.machine", partial(window.set_times, Times.MACHINE)),
        Action("&View/T&imes", "&UTC", "view.times.utc", partial(window.set_times, Times.UTC)),
        Action("&View", "&Search…", "view.search", lambda: open_palette(desk), "Ctrl+K"),
        Action("&View", "&Reset the layout", "view.reset", desk.arrangement.reset),
        Action("&Trade", "&Pause bots", "trade.pause", lambda: spawn(control.pause("paused by hand"), "pause")),
        Action("&Trade", "&Resume bots", "trade.resume", lambda: spawn(control.resume(), "resume")),
        Action("&Trade", "&Halt trading", "trade.halt", lambda: spawn(control.halt("halted by hand"), "halt")),
        Action(
            "&Trade", "&Activate trading", "trade.activate", lambda: spawn(control.allow_trading(), "activate trading")
        ),
        Action("&Trade", "&Cancel all orders", "trade.cancel", lambda: spawn(control.cancel_all_orders(), "cancel")),
        Action("&Processes", "&Start all", "processes.start_all", lambda: processes("start")),
        Action("&Processes", "S&top all", "processes.stop_all", lambda: processes("stop")),
        Action("&Processes", "&Restart all", "processes.restart_all", lambda: processes("restart")),
        *paper_actions(desk),
        Action("&Help", "&About Paddock", "help.about", lambda: _about(window)),
    ]


def open_palette(desk: Desk) -> None:
    """Every command but the search itself, then every symbol that is watched."""
    commands = [
        Command(_plain(action.title), _plain(action.menu.replace("/", " › ")), action.act, action.shortcut)
        for action in menu_actions(desk)
        if action.name != "view.search"
    ]
    commands += [
        Command(quote.symbol, "Chart", partial(desk.show_symbol, quote.symbol)) for quote in desk.control.views.quotes
    ]
    Palette(desk.window, commands).open()


def _plain(title: str) -> str:
    """Without the marks of the menu's keys."""
    return title.replace("&&", "\0").replace("&", "").replace("\0", "&")


def _about(window: Window) -> None:
    box = QMessageBox(window)
    box.setWindowTitle("About Paddock")
    box.setText("Paddock")
    box.setInformativeText("An operations console for people who trade through Alpaca with bots.\nApache License 2.0")
    box.open()
