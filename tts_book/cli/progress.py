"""Listeners: a live display for a terminal, plain lines elsewhere, JSON lines, and a tally.

Progress goes to standard error; results (`--json` lines) to standard output. Text from a book is
never taken for markup: everything shown goes through `rich.text.Text`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from tts_book import events
from tts_book.events import Event, Listener

if TYPE_CHECKING:
    from rich.console import Console

Clock = Callable[[], float]
MEANWHILE_S = 10.0  # between two lines about the same thing under way


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


def counted(number: int, thing: str) -> str:
    """A number of things: "1 chunk", "1,204 chunks"."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def thousands(number: int) -> str:
    """A number with its thousands parted."""
    return f"{number:,}"


def json_lines(out: IO[str]) -> Listener:
    """One event a line on `out`, flushed, so that another program can follow."""

    def listen(event: Event) -> None:
        out.write(json.dumps(events.as_dict(event), ensure_ascii=False) + "\n")
        out.flush()

    return listen


class Teller:
    """Events as plain lines. Chunks that were given up together with the run have no line each:
    their chapter's line says where they stand. With a clock, what takes long is told meanwhile."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._given_up: dict[tuple[str, int], list[events.ChunkFailed]] = {}
        self._clock, self._growing, self._told_s = clock, "", 0.0

    def __call__(self, event: Event) -> str | None:
        """The line for this event, None for those that say nothing by themselves."""
        match event:
            case events.ChunkFailed(given_up=True):
                self._given_up.setdefault((event.book, event.chapter), []).append(event)
                return None
            case events.ChapterLost() | events.VoiceChanged():
                return f"{told(event)}{self._where(event)}"
            case events.BookProgressed() if self._clock:
                return self._grows(event, self._clock())
            case _:
                return told(event)

    def _grows(self, event: events.BookProgressed, now_s: float) -> str | None:
        if self._growing != event.path:
            self._growing, self._told_s = event.path, now_s
        if now_s - self._told_s < MEANWHILE_S:
            return None
        self._told_s = now_s
        return f"{event.book}: {event.path} {100 * event.done_ms // event.all_ms} % encoded"

    def _where(self, event: events.ChapterLost | events.VoiceChanged) -> str:
        here = sorted(self._given_up.pop((event.book, event.chapter), ()), key=_number)
        rows: list[list[events.ChunkFailed]] = []
        for failed in here:
            if rows and rows[-1][-1].chunk + 1 == failed.chunk:
                rows[-1].append(failed)
            else:
                rows.append([failed])
        return "".join(f"; {_row(row)}" for row in rows)


def _number(event: events.ChunkFailed) -> int:
    return event.chunk


def _row(row: Sequence[events.ChunkFailed]) -> str:
    first, last = row[0], row[-1]
    if first is last:
        return f"chunk {first.chunk} at {first.place}"
    return f"chunks {first.chunk} to {last.chunk}, from {first.place} to {last.place}"


def told(event: Event) -> str | None:
    """The plain line for an event, None for those that say nothing by themselves."""
    match event:
        case events.JobStarted():
            return _started(event)
        case events.ChapterDone(kept=False):
            return f"{event.book}: chapter {event.chapter} done, {hours(event.duration_ms)}: " + (
                event.title
            )
        case events.ChapterLost():
            return f"{event.book}: chapter {event.chapter} not written: {event.reason}"
        case events.GainSettled():
            return f"{counted(event.chapters, 'chapter')} to bring to the loudness of the book"
        case events.BookDone():
            chapters = f"{counted(event.chapters, 'chapter')}, {hours(event.duration_ms)}"
            return f"{event.book}: {event.path} done, {chapters}"
        case events.BookLost():
            return f"{event.book}: {event.path} not written: {event.reason}"
        case events.ChunkFailed():
            return (
                f"{event.place}: chunk {event.chapter}/{event.chunk} is not spoken: "
                f"“{event.words}” ({event.failure}). {event.reason}"
            )
        case events.VoiceChanged():
            return f"{event.book}: {event.voice} takes over chapter {event.chapter}: {event.title}"
        case events.LimitChanged() if event.pause_s > 0:
            return f"{event.backend}: a pause of {event.pause_s:.0f} s. {event.reason}"
        case _:
            return None


def _started(event: events.JobStarted) -> str:
    if event.cached:
        others = f", {thousands(event.relabelled)} relabelled" if event.relabelled else ""
        return (
            f"{part(event.chunks - event.cached, event.chunks, 'chunks')} new "
            f"({thousands(event.new_characters)} characters); "
            f"{part(event.joined, event.chapters, 'chapters')} joined{others}"
        )
    return (
        f"{counted(event.chapters, 'chapter')}, {counted(event.chunks, 'chunk')}, "
        f"{thousands(event.characters)} characters, about {hours(event.estimated_ms)} of sound"
    )


def part(some: int, all_of: int, things: str) -> str:
    """So many of all: "1 of 3 chunks is", "2 of 3 chunks are"."""
    thing = things.removesuffix("s") if all_of == 1 else things
    verb = "is" if 1 in (some, all_of) else "are"
    return f"{thousands(some)} of {thousands(all_of)} {thing} {verb}"


def plain(console: Console, clock: Clock = time.monotonic) -> Listener:
    """A line per chapter, for a log or a pipe."""
    from rich.text import Text

    tell = Teller(clock)

    def listen(event: Event) -> None:
        line = tell(event)
        if line is not None:
            console.print(Text(line), soft_wrap=True)

    return listen
