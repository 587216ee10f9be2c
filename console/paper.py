"""The Paper menu: what the local exchange can be told to do wrong. Alpaca cannot be, so paper and live have no such menu."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from console.dialogs.fault import FaultDialog
from console.window import Action
from engine.control import ExchangeFault

if TYPE_CHECKING:
    from console.desk import Desk


@dataclass(frozen=True)
class FaultEntry:
    """A fault of the menu. `fields` are what the dialog asks for; without any it is carried out at once."""

    menu: str
    title: str
    name: str
    about: str
    fault: ExchangeFault
    fields: tuple[str, ...] = ()


REQUESTS, STREAMS, UPDATES = "&Paper/&Requests", "&Paper/&Streams", "&Paper/Trade &updates"
_REQUEST = ("count", "which")

ENTRIES = (
    FaultEntry(REQUESTS, "&Lose the next answers…", "lose_response",
               "The requests are carried out, and their connection is closed without an answer.",
               ExchangeFault(kind="lose_response", method="POST"), _REQUEST),
    FaultEntry(REQUESTS, "Refuse with &429…", "http_429", "Too many requests: nothing is carried out.",
               ExchangeFault(kind="http_status", status=429), _REQUEST),
    FaultEntry(REQUESTS, "Fail with &500…", "http_500", "An error of the venue.",
               ExchangeFault(kind="http_status", status=500), (*_REQUEST, "after")),
    FaultEntry(REQUESTS, "Fail with 50&4…", "http_504", "The venue's gateway gives up waiting.",
               ExchangeFault(kind="http_status", status=504, after=True), (*_REQUEST, "after")),
    FaultEntry(REQUESTS, "&Answer late…", "delay_answer", "The requests are carried out at once and answered late.",
               ExchangeFault(kind="delay", after=True, seconds=5.0), ("seconds", *_REQUEST)),
    FaultEntry(REQUESTS, "A&ct late…", "delay_act", "The requests are carried out late, even if nobody waits any more.",
               ExchangeFault(kind="delay", seconds=5.0), ("seconds", *_REQUEST)),
    FaultEntry(REQUESTS, "&Never answer…", "hang", "The requests wait until all faults are cleared.",
               ExchangeFault(kind="hang"), (*_REQUEST, "after")),
    FaultEntry(REQUESTS, "Show the &past…", "read_lag",
               "Orders, positions and the account are shown as they were, until all faults are cleared.",
               ExchangeFault(kind="read_lag", seconds=10.0), ("seconds",)),
    FaultEntry(STREAMS, "&Mute…", "mute_streams", "Streams stay open and send nothing until all faults are cleared.",
               ExchangeFault(kind="mute_streams"), ("stream",)),
    FaultEntry(STREAMS, "&Drop…", "drop_streams", "Streams are closed now; clients may connect again.",
               ExchangeFault(kind="drop_streams"), ("stream",)),
    FaultEntry(UPDATES, "&Lose the next…", "lose_updates", "The next trade updates are not sent.",
               ExchangeFault(kind="lose_updates"), ("count",)),
    FaultEntry(UPDATES, "Send the next &twice…", "duplicate_updates", "The next trade updates are sent twice.",
               ExchangeFault(kind="duplicate_updates"), ("count",)),
    FaultEntry(UPDATES, "&Delay the next…", "delay_updates", "The next trade updates come after those that follow them.",
               ExchangeFault(kind="delay_updates", seconds=3.0), ("seconds", "count")),
    FaultEntry(UPDATES, "&Reverse the next…", "reorder_updates",
               "The next trade updates are kept until all are there, and sent in reverse order.",
               ExchangeFault(kind="reorder_updates", count=3), ("count",)),
    FaultEntry("&Paper", "Set the &clock wrong…", "clock_skew", "The venue's clock is off until all faults are cleared.",
               ExchangeFault(kind="clock_skew", seconds=-60.0), ("seconds",)),
    FaultEntry("&Paper", "&Restart the exchange…", "restart",
               "Every socket is closed; the exchange reads its state again and serves on the same port.",
               ExchangeFault(kind="restart", seconds=0.5), ("seconds",)),
    FaultEntry("&Paper", "Clear &all faults", "clear", "", ExchangeFault(kind="clear")),
)  # fmt: skip


def paper_actions(desk: Desk) -> list[Action]:
    """None where the venue is Alpaca."""
    if desk.window.environment != "demo":
        return []
    return [Action(entry.menu, entry.title, f"paper.{entry.name}", partial(_begin, desk, entry)) for entry in ENTRIES]


def _begin(desk: Desk, entry: FaultEntry) -> None:
    if not entry.fields:
        _send(desk, "All faults are cleared", "", entry.fault)
        return
    title = entry.title.replace("&", "").rstrip("…")
    dialog = FaultDialog(desk.window, title, entry.about, entry.fault, entry.fields)
    said = f"The exchange is told: {title.lower()}"
    dialog.accepted.connect(lambda: _send(desk, said, dialog.words(), dialog.fault()))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def _send(desk: Desk, said: str, detail: str, fault: ExchangeFault) -> None:
    async def work() -> None:
        await desk.control.exchange_fault(fault)
        desk.window.notices.show_notice(said, detail, "good" if fault.kind == "clear" else "warning")
        desk.show_summary()

    desk.tasks.spawn(work(), "exchange fault")
