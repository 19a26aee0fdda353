"""How far a run is, counted from its events, and how long it will still take.

Before anything is measured, the time is estimated by backend and format; what is measured takes
over little by little.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tts_book import events
from tts_book.events import Event, RunTotals, format_count, format_duration, format_number

Clock = Callable[[], float]

# Sound per second of work, where nothing is measured yet: several requests to the online service
# at once; engines on this machine with all its cores.
SPEECH_SPEEDS = {"edge": 40.0, "piper": 30.0, "espeak": 500.0, "silent": 2_000.0}
OTHER_SPEED = 10.0
# AAC and Opus, one core.
ENCODING_SPEED = 150.0
# An estimate counts like so many seconds of measuring.
_ESTIMATE_S = 15.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of a run before it begins: the chunks of each chapter by the numbers of
    book and chapter, the sound per second of work when speaking, how much sound will be encoded,
    and how fast."""

    chunks: Mapping[tuple[int, int], int] = field(default_factory=dict)
    speech_speed: float = OTHER_SPEED
    encoded_ms: int = 0
    encoding_speed: float = ENCODING_SPEED


@dataclass
class Progress:
    """A listener that knows where a run is, and when it will end."""

    clock: Clock = time.monotonic
    outlook: Outlook = field(default_factory=Outlook)
    started: events.JobStarted | None = None
    began_s: float = 0.0
    in_flight: int = 0
    limit: int = 0
    machines: int = 0
    totals: RunTotals = field(default_factory=RunTotals)
    growing: events.BookProgressed | None = None
    _finished: set[tuple[int, int]] = field(default_factory=set)
    _titles: dict[int, str] = field(default_factory=dict)
    _encoded_ms: int = 0
    _encoding_s: float = 0.0
    _growing_s: float = 0.0

    def __call__(self, event: Event) -> None:
        self.totals(event)
        match event:
            case events.JobStarted():
                self.started, self.began_s = event, self.clock()
            case events.ChunkStarted():
                self.in_flight = event.in_flight
            case events.ChunkRetried():
                self.in_flight = max(0, self.in_flight - 1)
            case events.ChunkDone(cached=cached):
                self._land(event, was_sent=not cached)
            case events.ChunkFailed(given_up=given_up):
                self._land(event, was_sent=not given_up)
            case events.ChapterDone() | events.ChapterLost():
                self._finished.add((event.book_id, event.chapter))
            case events.BookProgressed():
                if self.growing is None or self.growing.path != event.path:
                    self._growing_s = self.clock()
                self.growing = event
            case events.BookDone() | events.BookLost():
                self._encoded()
            case events.LimitChanged():
                self.limit = event.limit
            case events.MachinesChanged():
                self.machines, self.limit = event.machines, event.at_once
            case _:
                pass

    def _land(self, event: events.ChunkDone | events.ChunkFailed, *, was_sent: bool) -> None:
        self._titles[event.book_id] = event.book
        self.in_flight = max(0, self.in_flight - was_sent)

    def _encoded(self) -> None:
        if self.growing is not None:
            self._encoded_ms += self.growing.all_ms
            self._encoding_s += self.clock() - self._growing_s
            self.growing = None

    @property
    def share(self) -> float:
        """How much of all that is asked for is done, from 0 to 1; of a file that is encoded now,
        how much of that."""
        if self.growing is not None:
            return self.growing.done_ms / max(1, self.growing.all_ms)
        total = self.started.characters if self.started else 0
        return self.totals.characters / total if total else 0.0

    @property
    def speed(self) -> float:
        """Sound made so far, in × real time."""
        wall_s = self.clock() - self.began_s
        return self.totals.spoken_ms / 1_000 / wall_s if wall_s > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds until the end, None before the beginning."""
        if self.started is None:
            return None
        return self._speaking_left_s(self.started) + self._encoding_left_s()

    def _speaking_left_s(self, started: events.JobStarted) -> float:
        spoken = self.totals.new_characters
        # Other runs that share the cache may speak a part.
        left = min(started.new_characters - spoken, started.characters - self.totals.characters)
        if left <= 0:
            return 0.0
        ms_per_character = started.estimated_ms / max(1, started.characters)
        estimate_s = max(1e-6, ms_per_character / 1_000 / self.outlook.speech_speed)
        # As if characters worth so many seconds had been spoken at the estimated speed before.
        before = _ESTIMATE_S / estimate_s
        spent_s = self.clock() - self.began_s
        return left * (_ESTIMATE_S + spent_s) / (before + spoken)

    def _encoding_left_s(self) -> float:
        done_ms, spent_s = self._encoded_ms, self._encoding_s
        left_ms = max(0, self.outlook.encoded_ms - done_ms)
        if self.growing is not None:
            left_ms = max(left_ms, self.growing.all_ms) - self.growing.done_ms
            done_ms += self.growing.done_ms
            spent_s += self.clock() - self._growing_s
        before_ms = _ESTIMATE_S * 1_000 * self.outlook.encoding_speed
        return left_ms * (_ESTIMATE_S + spent_s) / (before_ms + done_ms)

    def describe_place(self) -> str:
        """What is worked on: the first chapter that is not finished, or a file of the book."""
        if self.growing is not None:
            return f"encoding {self.growing.path}"
        going = [where for where in self.totals.chapters if where not in self._finished]
        if not going:
            return ""
        chapter = going[0][1]
        chapters = self.started.chapters if self.started else 0
        of = f" of {chapters}" if self.started and self.started.books == 1 else ""
        chunks = self.outlook.chunks.get(going[0], 0)
        done = f", {self.totals.chapters[going[0]].chunks}/{chunks} done" if chunks else ""
        return f"chapter {chapter}{of}{done}: {self._titles[going[0][0]]}"

    def describe_figures(self) -> list[str]:
        """The figures of a run, the most important first."""
        left_s = self.left_s
        parts = [f"about {format_duration(left_s * 1_000)} left"] if left_s is not None else []
        parts.append(f"{int(100 * self.share)} %")
        if self.growing is not None:
            return parts
        total = self.started.characters if self.started else 0
        parts.append(
            f"{format_number(self.totals.characters)} of {format_count(total, 'character')}"
        )
        if self.speed:
            parts.append(f"{self.speed:.{0 if self.speed >= 10 else 1}f}× real time")
        if self.in_flight:
            most = f" of {self.limit}" if self.limit else ""
            parts.append(f"{self.in_flight} in flight{most}")
        if self.machines:
            parts.append(format_count(self.machines, "machine"))
        if count := self.totals.retries.total():
            parts.append(f"{count} retries" if count > 1 else "1 retry")
        return parts
