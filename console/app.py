"""The application: paint the window, start the engine behind it, keep it fresh, and leave nothing behind.

Order matters for a window that is there within a second: Qt and an empty frame first, charts and broker after the
first paint. The event loop is qasync's, so engine and window share one thread without locks.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtCore import QCoreApplication, QEvent, QSettings, Qt, QTimer, QtMsgType, qInstallMessageHandler
from PySide6.QtWidgets import QApplication, QMessageBox

from console.collector import Collector
from console.marks import mark
from console.theme import apply_theme, load_fonts
from console.window import Window
from engine.domain.errors import PaddockError
from engine.domain.shown_times import Times, show_times

if TYPE_CHECKING:
    from console.desk import Desk
    from engine.control import EngineControl

log = logging.getLogger(__name__)

STOP_TIMEOUT = 5.0
CANCEL_TIMEOUT = 2.0
THREADS = 4


class Engine(Protocol):
    """An EngineControl with a life."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


@dataclass(frozen=True)
class ConsoleSettings:
    """`exit_after` in seconds and `screenshots` are for pictures and smoke tests. `folder` keeps the window's state."""

    environment: str
    folder: Path
    theme: str | None = None
    times: Times | None = None
    refresh_hz: int = 15
    exit_after: float | None = None
    screenshots: Path | None = None


def last_times(store: QSettings) -> Times:
    kept = str(store.value("times", ""))
    return Times(kept) if kept in set(Times) else Times.EXCHANGE


def run_console(settings: ConsoleSettings, make_engine: Callable[[], Any]) -> int:
    """The exit code: 0, or that of the error which kept the engine from starting, or 1 when a smoke run saw errors.

    `make_engine` gives an EngineControl with start() and stop(); it is called after the first paint.
    """
    app = QApplication(sys.argv[:1])
    collector = Collector(app)
    app.setApplicationName("Paddock")
    app.setQuitOnLastWindowClosed(False)
    load_fonts()
    store = QSettings(str(settings.folder / "window.ini"), QSettings.Format.IniFormat)
    apply_theme(app, settings.theme or str(store.value("theme", "dark")))
    show_times(settings.times or last_times(store))
    window = Window(settings.environment, store, remember=settings.screenshots is None)
    window.show()
    app.processEvents()
    mark("painted")
    # After the first paint: qasync looks for every Qt there is.
    os.environ.setdefault("QT_API", "pyside6")
    import qasync

    loop = qasync.QEventLoop(app)
    asyncio.set_event_loop(loop)
    with loop, ThreadPoolExecutor(THREADS) as pool:
        loop.set_default_executor(pool)
        code: int = loop.run_until_complete(Application(settings, window, make_engine, collector).run())
    # By Qt, from the window down. Python would take the charts apart in any order at its end, and some orders are fatal.
    window.deleteLater()
    QCoreApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete)
    return code


class Application:
    def __init__(
        self, settings: ConsoleSettings, window: Window, make_engine: Callable[[], Any], collector: Collector
    ) -> None:
        self._settings = settings
        self._collector = collector
        self._window = window
        self._make_engine = make_engine
        self._leave = asyncio.Event()
        self._desk: Desk | None = None
        self._control: EngineControl | None = None
        self._early: list[tuple[str, str, str]] = []

    async def run(self) -> int:
        self._install_handlers()
        self._window.closing.connect(self._leave.set)
        engine = self._make_engine()
        self._control = engine
        for component, message, detail in self._early:
            engine.report_error(component, message, detail=detail)
        self._window.status.say("Starting the engine…")
        starting = asyncio.create_task(engine.start(), name="engine-start")
        try:
            self._open_desk(engine)
            code = await self._live(engine, starting)
        finally:
            clean = await self._stop(engine, starting)
        self._window.leave()
        return code or int(not clean)

    def _open_desk(self, engine: Any) -> None:
        # pyqtgraph and the panels: half a second, so after the first paint.
        from console.desk import Desk

        self._desk = Desk(engine, self._window, self._settings.refresh_hz)

    async def _live(self, engine: Any, starting: asyncio.Task[None]) -> int:
        leaving = asyncio.create_task(self._leave.wait())
        await asyncio.wait({starting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and (error := starting.exception()) is not None:
            return await self._failed(error, leaving)
        if self._desk is not None and not leaving.done():
            self._desk.engine_runs()
            self._collector.spare_the_living()
        self._window.status.say("")
        if self._settings.exit_after is None:
            await leaving
            return 0
        await asyncio.wait({leaving}, timeout=self._settings.exit_after)
        leaving.cancel()
        if self._settings.screenshots is not None:
            await self._window.save_pictures(self._settings.screenshots)
        return self._verdict(engine)

    async def _failed(self, error: BaseException, leaving: asyncio.Task[bool]) -> int:
        """Say why, and wait until it was read; a smoke run ends at once."""
        message = error.message if isinstance(error, PaddockError) else f"{type(error).__name__}: {error}"
        remedy = error.remedy if isinstance(error, PaddockError) else "See the log in the data folder."
        sys.stderr.write(f"paddock: {message}\n{remedy}\n")
        self._window.status.say("The engine did not start.")
        if self._settings.exit_after is None:
            box = QMessageBox(QMessageBox.Icon.Critical, "Paddock did not start", message, parent=self._window)
            box.setInformativeText(remedy)
            box.finished.connect(self._leave.set)
            box.open()
            await leaving
        return error.exit_code if isinstance(error, PaddockError) else 1

    def _verdict(self, engine: Any) -> int:
        bad = [row for row in engine.views.errors if row.severity in {"error", "critical"}]
        for row in bad:
            sys.stderr.write(f"paddock: {row.component}: {row.message}\n")
        return 1 if bad else 0

    async def _stop(self, engine: Any, starting: asyncio.Task[None]) -> bool:
        """Whether the engine stopped in time. It is asked to even when its start cannot be broken off."""
        if self._desk is not None:
            await self._desk.close()
        self._window.cover.say("Stopping the engine and its processes…")
        starting.cancel()
        await asyncio.wait({starting}, timeout=CANCEL_TIMEOUT)
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await engine.stop()
        except TimeoutError:
            log.error("the engine did not stop in %g s", STOP_TIMEOUT)  # noqa: TRY400  a traceback would say nothing
            return False
        except Exception:
            # The window must close whatever the engine does; the children leave when our end of their stdin goes.
            log.exception("the engine did not stop cleanly")
            return False
        return True

    # Nothing that goes wrong may go unseen.

    def _install_handlers(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self._loop_error(context))
        sys.excepthook = lambda kind, error, trace: self._report("window", kind, error, trace)
        threading.excepthook = lambda args: self._from_thread(loop, args)
        qInstallMessageHandler(self._qt_message)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._window.close())
        # Python handles signals between bytecodes, and Qt's loop may run none for long.
        self._ticker = QTimer(self._window)
        self._ticker.setTimerType(Qt.TimerType.CoarseTimer)
        self._ticker.timeout.connect(lambda: None)
        self._ticker.start(200)

    def _loop_error(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        detail = "".join(traceback.format_exception(error)) if isinstance(error, BaseException) else ""
        self._tell("event loop", f"{context.get('message', '')}: {error}", detail)

    def _report(self, component: str, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        detail = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(detail)
        self._tell(component, f"{kind.__name__}: {error}", detail)

    def _from_thread(self, loop: asyncio.AbstractEventLoop, args: Any) -> None:
        detail = "".join(traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback))
        loop.call_soon_threadsafe(self._tell, "thread", f"{args.exc_type.__name__}: {args.exc_value}", detail)

    def _qt_message(self, kind: QtMsgType, context: object, message: str) -> None:
        if kind in {QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg}:
            return
        if "propagateSizeHints" in message or "does not support raise" in message:
            return  # the offscreen platform says so about every window
        self._tell("Qt", message, "")

    def _tell(self, component: str, message: str, detail: str) -> None:
        log.warning("%s: %s", component, message)
        if self._control is None:
            self._early.append((component, message, detail))
        else:
            self._control.report_error(component, message, detail=detail)
