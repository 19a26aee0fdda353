"""Listeners: a live display for a terminal, plain lines elsewhere, JSON lines, and a tally.

Progress goes to standard error; results (`--json` lines) to standard output. Text from a book is
never taken for markup: everything shown goes through `rich.text.Text`.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from tts_book import events
from tts_book.events import Event, Listener

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


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


@dataclass
class Tally:
    """What happened so far, counted from the events."""

    clock: Clock = time.monotonic
    started: events.JobStarted | None = None
    began_s: float = 0.0
    told: Counter[tuple[str, int]] = field(default_factory=Counter)
    spoken_ms: int = 0
    chapters: int = 0
    in_flight: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    chapter: str = ""
    limit: int = 0
    new_characters: int = 0
    growing: events.BookProgressed | None = None
    growing_s: float = 0.0

    def __call__(self, event: Event) -> None:
        match event:
            case events.JobStarted():
                self.started, self.began_s = event, self.clock()
            case events.ChunkStarted():
                self.in_flight = event.in_flight
                self._now_at(event)
            case events.ChunkRetried():
                self.in_flight = max(0, self.in_flight - 1)
                self.retries[event.failure] += 1
            case events.ChunkDone():
                self._done(event)
            case events.ChunkFailed():
                self.told[event.book, event.chapter] += event.characters
            case events.VoiceChanged():  # its chunks are told anew
                del self.told[event.book, event.chapter]
            case events.ChapterDone() | events.ChapterLost():
                self.chapters += 1
            case events.BookProgressed():
                if self.growing is None or self.growing.path != event.path:
                    self.growing_s = self.clock()
                self.growing = event
            case events.BookDone() | events.BookLost():
                self.growing = None
            case events.LimitChanged():
                self.limit = event.limit
            case _:
                pass

    def _now_at(self, event: events.ChunkStarted | events.ChunkDone) -> None:
        chapters = self.started.chapters if self.started else 0
        of = f" of {chapters}" if self.started and self.started.books == 1 else ""
        self.chapter = f"{event.book}: chapter {event.chapter}{of}, chunk {event.chunk}"

    def _done(self, event: events.ChunkDone) -> None:
        self._now_at(event)
        self.told[event.book, event.chapter] += event.characters
        if not event.cached:
            self.spoken_ms += event.duration_ms
            self.new_characters += event.characters

    @property
    def characters(self) -> int:
        """Characters whose fate is known."""
        return self.told.total()

    @property
    def speed(self) -> float:
        """Sound made so far, in × real time."""
        wall_s = self.clock() - self.began_s
        return self.spoken_ms / 1_000 / wall_s if wall_s > 0 else 0.0

    def left_s(self) -> float | None:
        """Seconds until the end at the pace so far, None while that cannot be told."""
        if self.growing is not None:
            done_ms, left_ms = self.growing.done_ms, self.growing.all_ms - self.growing.done_ms
            return left_ms * (self.clock() - self.growing_s) / done_ms if done_ms else None
        if self.started is None or not self.new_characters:
            return None
        left = self.started.characters - self.characters
        return left * (self.clock() - self.began_s) / self.new_characters


class Display:
    """A listener that shows three lines at the foot of the terminal, and above them whatever is
    worth a line of its own."""

    def __init__(self, console: Console, clock: Clock = time.monotonic) -> None:
        from rich.live import Live

        self._tally, self._tell = Tally(clock), Teller()
        # It leaves no trace: what is worth keeping has a line of its own.
        self._live = Live(
            console=console, get_renderable=self._shown, refresh_per_second=4, transient=True
        )

    def __enter__(self) -> Display:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def __call__(self, event: Event) -> None:
        from rich.text import Text

        self._tally(event)
        line = self._tell(event)
        if line is not None:
            self._live.console.print(Text(line), soft_wrap=True)

    def _shown(self) -> Table:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        tally, grows = self._tally, self._tally.growing
        total = tally.started.characters if tally.started else 0
        done, of = (grows.done_ms, grows.all_ms) if grows else (tally.characters, total)
        now_at = f"{grows.book}: {grows.path}" if grows else tally.chapter
        lines = Table.grid(expand=True)
        lines.add_row(Text(now_at, no_wrap=True, overflow="ellipsis"))
        lines.add_row(ProgressBar(total=max(1, of), completed=done))
        lines.add_row(Text(state(tally), no_wrap=True, overflow="ellipsis"))
        return lines


def state(tally: Tally) -> str:
    """The figures of a run on one line."""
    left_s = tally.left_s()
    left = [f"{hours(left_s * 1_000)} left"] if left_s is not None else []
    if grows := tally.growing:
        return ", ".join([f"{100 * grows.done_ms // grows.all_ms} % encoded", *left])
    total = tally.started.characters if tally.started else 0
    parts = [f"{thousands(tally.characters)} of {thousands(total)} characters"]
    if total:
        parts.insert(0, f"{100 * tally.characters // total} %")
    if tally.speed:
        parts.append(f"{tally.speed:.{0 if tally.speed >= 10 else 1}f}× real time")
    parts += left
    if tally.in_flight:
        parts.append(f"{tally.in_flight} in flight" + (f" of {tally.limit}" * bool(tally.limit)))
    if tally.retries:
        parts.append(f"{tally.retries.total()} retries")
    return ", ".join(parts)
