"""The log: the lines of the loggers `tts_book.*` of the standard library, events among them.

The command line shows them with `--log-level`; a program that uses the library sets `logging` up as
it likes, and until it does nothing is shown.
"""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import IO, TYPE_CHECKING

from tts_book import __version__, events
from tts_book.errors import UserError
from tts_book.events import EVENTS, ROOT, Listener, escape_text, log_event

if TYPE_CHECKING:
    from rich.console import Console

LEVELS = {
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}
_STYLES = {logging.ERROR: "red", logging.WARNING: "yellow", logging.DEBUG: "dim"}


@dataclass(frozen=True, slots=True)
class Log:
    """Where a command's events go, None for nowhere. The live display shares the `console`, or its
    lines and those of the log would tear each other."""

    listener: Listener | None = None
    console: Console | None = None


SILENT = Log()


@contextmanager
def show_log(err: IO[str], level: str) -> Iterator[Log]:
    """The log on `err` from this level on, or none for "". Raises UserError for a level that there
    is not."""
    if not level:
        yield SILENT
        return
    if level.lower() not in LEVELS:
        raise UserError(f'--log-level "{level}" is not known: {", ".join(LEVELS)}.')
    root, lines = logging.getLogger(ROOT), _Lines(err)
    before = root.level
    root.setLevel(LEVELS[level.lower()])
    root.addHandler(lines)
    try:
        root.info("%s", _versions())
        yield Log(log_event, lines.console)
    finally:
        root.removeHandler(lines)
        root.setLevel(before)


def _versions() -> str:
    today = time.strftime("%Y-%m-%d", time.gmtime())
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    libraries = ", ".join(f"{name} {_version(name)}" for name in ("edge-tts", "aiohttp"))
    program = f"tts-book {__version__}, Python {platform.python_version()}, {libraries}"
    return f"{program}, {system}; times are UTC of {today}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


class _Lines(logging.Handler):
    """Writes each record as one line, above a live display where there is one."""

    def __init__(self, err: IO[str]) -> None:
        from tts_book.cli.display import make_console

        super().__init__()
        self.console = make_console(err)
        self._err = err
        self.addFilter(label_chunk)
        layout = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s %(chunk)s%(message)s"
        formatter = logging.Formatter(layout, "%H:%M:%S")
        formatter.converter = time.gmtime
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        line = escape_text(self.format(record))  # also what a plug-in logs below our loggers
        try:
            if self.console.is_terminal:
                self._print(line, _STYLES.get(record.levelno, ""))
            else:
                self._err.write(f"{line}\n")
        except OSError:
            # Whoever read this stream has left, which is no failure of what is being noted; the
            # next line that is not the log's own meets the same and ends the run in good order.
            logging.getLogger(ROOT).removeHandler(self)

    def _print(self, line: str, style: str) -> None:
        from rich.text import Text

        self.console.print(Text(line, style), soft_wrap=True)


def label_chunk(record: logging.LogRecord) -> bool:
    """A filter for handlers: `record.chunk` is "3/17 " while that chunk is spoken, or "". Events
    name their chunk themselves."""
    chunk = "" if record.name == EVENTS else events.CURRENT_CHUNK.get()
    record.chunk = f"{chunk} " if chunk else ""
    return True
