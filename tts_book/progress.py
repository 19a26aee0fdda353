"""Listeners: a live display for a terminal, plain lines elsewhere, JSON lines, and a tally.

Progress goes to standard error; results (`--json` lines) to standard output. Text from a book is
never taken for markup: everything shown goes through `rich.text.Text`.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from tts_book import events
from tts_book.events import Event, Listener

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

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


@dataclass
class Tally:
    """What happened so far, counted from the events."""

    clock: Clock = time.monotonic
    started: events.JobStarted | None = None
    began_s: float = 0.0
    characters: int = 0
    spoken_ms: int = 0
    chapters: int = 0
    in_flight: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    chapter: str = ""
    limit: int = 0
    new_characters: int = 0

    def __call__(self, event: Event) -> None:
        match event:
            case events.JobStarted():
                self.started, self.began_s = event, self.clock()
            case events.ChunkStarted():
                self.in_flight = event.in_flight
                self.chapter = f"{event.book}: {event.chapter}"
            case events.ChunkRetried():
                self.in_flight = max(0, self.in_flight - 1)
                self.retries[event.failure] += 1
            case events.ChunkDone():
                self._done(event)
            case events.ChunkFailed():
                self.in_flight = max(0, self.in_flight - 1)
                self.characters += event.characters
            case events.ChapterDone() | events.ChapterLost():
                self.chapters += 1
            case events.LimitChanged():
                self.limit = event.limit
            case _:
                pass

    def _done(self, event: events.ChunkDone) -> None:
        self.characters += event.characters
        if not event.cached:
            self.in_flight = max(0, self.in_flight - 1)
            self.spoken_ms += event.duration_ms
            self.new_characters += event.characters

    @property
    def speed(self) -> float:
        """Sound made so far, in × real time."""
        wall_s = self.clock() - self.began_s
        return self.spoken_ms / 1_000 / wall_s if wall_s > 0 else 0.0

    def left_s(self) -> float | None:
        """Seconds until the end at the pace so far, None while that cannot be told."""
        if self.started is None or not self.new_characters:
            return None
        left = self.started.characters - self.characters
        return left * (self.clock() - self.began_s) / self.new_characters


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


class Live:
    """The display on a terminal: bars for the book in characters, and what is going on."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        self._console = console
        self._tally = Tally(clock)
        self._progress: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            console=console,
            expand=True,
        )
        self._task = self._progress.add_task("", total=None, state="")

    def __enter__(self) -> Live:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        from rich.text import Text

        self._tally(event)
        line = told(event)
        if line is not None:
            self._progress.console.print(Text(line), soft_wrap=True)
        tally = self._tally
        total = tally.started.characters if tally.started else None
        self._progress.update(
            self._task,
            description=tally.chapter[:40],
            total=total,
            completed=tally.characters,
            state=_state(tally),
        )


def _state(tally: Tally) -> str:
    total = tally.started.characters if tally.started else 0
    left_s = tally.left_s()
    parts = [f"{thousands(tally.characters)}/{thousands(total)} characters"]
    if tally.speed >= 0.05:
        parts.append(f"{tally.speed:.0f}× real time" if tally.speed >= 3 else f"{tally.speed:.1f}×")
    if left_s is not None:
        parts.append(f"{hours(left_s * 1_000)} left")
    if tally.in_flight:
        parts.append(f"{tally.in_flight} in flight")
    if tally.retries:
        parts.append(f"{tally.retries.total()} retries")
    return ", ".join(parts)
