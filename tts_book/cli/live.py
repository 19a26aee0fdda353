"""The live display on a terminal: the chapter, the book in characters, pace and trouble."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tts_book import events
from tts_book.cli.progress import Clock, Teller, hours, thousands
from tts_book.events import Event

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


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
