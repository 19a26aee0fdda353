"""Listeners: a live display for a terminal, plain lines elsewhere, JSON lines, and a tally.

Progress goes to standard error; results (`--json` lines) to standard output. Text from a book is
never taken for markup: everything shown goes through `rich.text.Text`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from tts_book import events
from tts_book.events import Event, Listener

if TYPE_CHECKING:
    from rich.console import Console

Clock = Callable[[], float]


def console(err: IO[str]) -> Console:
    """A console on standard error; NO_COLOR and TERM are kept by rich."""
    from rich.console import Console

    return Console(file=err, highlight=False, markup=False, emoji=False)


@contextmanager
def fetching(err: IO[str], name: str) -> Iterator[Callable[[int, int], None]]:
    """Shows how much of a download has come: `listen(done_bytes, all_bytes)`. On a terminal only,
    and from the first byte, so that a question can be asked before."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    shown = console(err)
    bar = Progress(
        TextColumn(name, markup=False), BarColumn(), DownloadColumn(), console=shown, disable=True
    )
    task = bar.add_task(name, total=None)

    def listen(done_bytes: int, all_bytes: int) -> None:
        if shown.is_terminal and bar.disable:
            bar.disable = False
            bar.start()
        bar.update(task, completed=done_bytes, total=all_bytes)

    try:
        yield listen
    finally:
        bar.stop()


def both(*listeners: Listener) -> Listener:
    """One listener that tells several."""

    def listen(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return listen


def hours(ms: float) -> str:
    """A length as h:mm:ss."""
    seconds = round(ms / 1_000)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def thousands(number: int) -> str:
    """A number with its thousands parted."""
    return f"{number:,}"


def json_lines(out: IO[str]) -> Listener:
    """One event a line on `out`, flushed, so that another program can follow."""

    def listen(event: Event) -> None:
        out.write(json.dumps(events.as_dict(event), ensure_ascii=False) + "\n")
        out.flush()

    return listen


def told(event: Event) -> str | None:
    """The plain line for an event, None for those that say nothing by themselves."""
    match event:
        case events.JobStarted():
            return _started(event)
        case events.ChapterDone():
            return f"{event.book}: chapter {event.chapter} done, {hours(event.duration_ms)}: " + (
                event.title
            )
        case events.ChapterLost():
            return f"{event.book}: chapter {event.chapter} not written: {event.reason}"
        case events.ChunkFailed():
            return (
                f"{event.place}: chunk {event.chapter}/{event.chunk} is not spoken "
                f"({event.failure}: {event.reason}): “{event.words}”"
            )
        case events.VoiceChanged():
            return f"{event.book}: {event.voice} takes over chapter {event.chapter}: {event.title}"
        case events.LimitChanged() if event.pause_s > 0:
            return f"{event.backend}: {event.reason}; a pause of {event.pause_s:.0f} s"
        case _:
            return None


def _started(event: events.JobStarted) -> str:
    cached = f", {thousands(event.cached)} of them there already" if event.cached else ""
    return (
        f"{event.chapters} chapters, {thousands(event.chunks)} chunks{cached}, "
        f"{thousands(event.characters)} characters, about {hours(event.estimated_ms)} of sound"
    )


def plain(console: Console) -> Listener:
    """A line per chapter, for a log or a pipe."""
    from rich.text import Text

    def listen(event: Event) -> None:
        line = told(event)
        if line is not None:
            console.print(Text(line), soft_wrap=True)

    return listen
