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
from tts_book.cli.event_lines import describe_event
from tts_book.cli.figures import format_count
from tts_book.errors import UserError
from tts_book.events import Event, Listener

if TYPE_CHECKING:
    from rich.console import Console

ROOT = "tts_book"
EVENTS = f"{ROOT}.job"
logging.getLogger(ROOT).addHandler(logging.NullHandler())  # or Python itself would show warnings
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
def shown(err: IO[str], level: str) -> Iterator[Log]:
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
        yield Log(event, lines.console)
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
        line = escaped(self.format(record))  # also what a plug-in logs below our loggers
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


def escaped(text: str) -> str:
    """`text` on one line, harmless to a terminal: what cannot be seen is spelled out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def label_chunk(record: logging.LogRecord) -> bool:
    """A filter for handlers: `record.chunk` is "3/17 " while that chunk is spoken, or "". Events
    name their chunk themselves."""
    chunk = "" if record.name == EVENTS else events.CURRENT_CHUNK.get()
    record.chunk = f"{chunk} " if chunk else ""
    return True


def event(event: Event) -> None:
    """A listener: events as records."""
    level, text = _line(event)
    if text:
        logging.getLogger(EVENTS).log(level, "%s", escaped(text))


def _line(event: Event) -> tuple[int, str]:
    match event:
        case events.ChunkStarted():
            where = f"{event.chapter}/{event.chunk} of {event.book}"
            return logging.DEBUG, f"{where}: attempt {event.attempt}, {event.in_flight} in flight"
        case events.ChunkRetried():
            where = f"{event.chapter}/{event.chunk} of {event.book}"
            failed = f"attempt {event.attempt} failed ({event.failure}): {event.reason}"
            return logging.WARNING, f"{where}: {failed} Again in {event.wait_s:.1f} s."
        case events.ChunkDone():
            return _done(event)
        case events.ChunkFailed() | events.ChapterLost() | events.BookLost():
            return logging.ERROR, describe_event(event) or ""
        case events.VoiceChanged():
            return logging.WARNING, describe_event(event) or ""
        case events.LimitChanged():
            limit = f"{event.backend}: at most {event.limit} at once"
            if event.pause_s:
                return logging.WARNING, f"{limit}, after a pause of {event.pause_s:.1f} s for all"
            return logging.INFO, f"{limit} from now on ({event.reason})"
        case events.JobDone():
            return logging.INFO, _ended(event)
        case _:
            return logging.INFO, describe_event(event) or ""


def _done(event: events.ChunkDone) -> tuple[int, str]:
    where = f"{event.chapter}/{event.chunk} of {event.book} ({event.place})"
    if event.doubts:
        return logging.WARNING, f"{where}: kept with doubts: {'; '.join(event.doubts)}"
    if event.cached:
        return logging.DEBUG, f"{where}: from the cache"
    tries = "" if event.attempts == 1 else f", {format_count(event.attempts, 'attempt')}"
    sound = f"{event.characters} characters, {event.duration_ms / 1_000:.2f} s of sound"
    return logging.INFO, f"{where}: spoken, {sound}{tries}"


def _ended(event: events.JobDone) -> str:
    retries = sum(event.retries.values())
    ended = f"{event.wall_s:.1f} s, {format_count(event.requests, 'request')}, {retries} retried"
    return f"the job has ended: {ended}" + (f"; {event.reason}" if event.reason else "")
