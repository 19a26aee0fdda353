"""What a running job reports: values with plain fields.

First `JobStarted`, last `JobDone`. For each chunk any number of `ChunkStarted` and
`ChunkRetried`, then exactly one `ChunkDone` or `ChunkFailed`; a chapter's own event comes after
all its chunks. Between chunks the order is free. A listener is a callable that takes an event.

What several of them have: `book` is the book's title, which several books may have; `book_id` its
number in the run, from 1; `chapter` and `chunk` count from 1 as in the
plan, `characters` are those that are sent, `place` is where a chunk begins in the source, `path`
is a file that is written; `failure` is a value of `errors.Failure`, `reason` a line for people.
"""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field

from tts_book.model import Doubt, DoubtKind

# "3/17": the chunk that the current task speaks. A backend is given a text without its place; this
# way the lines that it logs lead to the chunk, also when several are in flight.
CURRENT_CHUNK: ContextVar[str] = ContextVar("CURRENT_CHUNK", default="")

# All our loggers, and that of events.
ROOT = "tts_book"
EVENTS = f"{ROOT}.job"
logging.getLogger(ROOT).addHandler(logging.NullHandler())  # or Python itself would show warnings


@dataclass(frozen=True, slots=True)
class JobStarted:
    """The whole run: so many `chapters` are asked for, and so many of their `chunks` are `cached`,
    there already. `joined` chapters are put together, `relabelled` ones get another name or other
    tags, the rest is up to date; `new_characters` of all `characters` are to be spoken.
    `estimated_ms` is the length of all, without pauses."""

    books: int
    chapters: int
    chunks: int
    cached: int
    characters: int
    estimated_ms: int
    joined: int = 0
    new_characters: int = 0
    relabelled: int = 0


@dataclass(frozen=True, slots=True)
class FilesAwaited:
    """Another run writes the files: `writer` says which one. This one speaks along and waits."""

    writer: str


@dataclass(frozen=True, slots=True)
class ChunkStarted:
    """A request begins, the chunk's first `attempt` or a later one. `in_flight` counts it, too."""

    book: str
    chapter: int
    chunk: int
    attempt: int
    in_flight: int
    book_id: int = 1


@dataclass(frozen=True, slots=True)
class ChunkRetried:
    """An `attempt` failed and another follows, after `wait_s`."""

    book: str
    chapter: int
    chunk: int
    attempt: int
    failure: str
    reason: str
    wait_s: float
    book_id: int = 1


@dataclass(frozen=True, slots=True)
class ChunkDone:
    """A chunk is on disk: `duration_ms` of sound, after so many `attempts`, or `cached` from
    before. `doubts` are reasons why its sound deserves a second listen; `worker` is the machine of
    a cluster that spoke it."""

    book: str
    chapter: int
    chunk: int
    characters: int
    duration_ms: int
    cached: bool
    attempts: int
    place: str
    doubts: tuple[Doubt, ...] = ()
    book_id: int = 1
    worker: str = ""


@dataclass(frozen=True, slots=True)
class ChunkFailed:
    """A chunk stays unspoken. `words` are its first words, `place` is where it is; `given_up`:
    not for its own sake, but because the whole run was given up, or it was not asked for."""

    book: str
    chapter: int
    chunk: int
    characters: int
    failure: str
    reason: str
    place: str
    words: str
    given_up: bool = False
    book_id: int = 1


@dataclass(frozen=True, slots=True)
class ChapterDone:
    """A chapter is written at `path`, `duration_ms` with its pauses, or `kept`: it is up to date.
    `path` is "" where only files of the whole book are kept."""

    book: str
    chapter: int
    title: str
    path: str
    duration_ms: int
    kept: bool = False
    book_id: int = 1


@dataclass(frozen=True, slots=True)
class ChapterLost:
    """A chapter is not written, because `missing` of its chunks are unspoken, or for `reason`; also
    after its `ChapterDone`, where it could not be given the gain that was settled."""

    book: str
    chapter: int
    title: str
    missing: int
    reason: str
    book_id: int = 1


@dataclass(frozen=True, slots=True)
class GainSettled:
    """So many chapters are written again, because the gain that fits all of them is known now."""

    chapters: int


@dataclass(frozen=True, slots=True)
class BookProgressed:
    """A file that holds a whole book is being encoded: `done_ms` of its `all_ms` of sound are."""

    book: str
    path: str
    done_ms: int
    all_ms: int
    book_id: int = 1


@dataclass(frozen=True, slots=True)
class BookDone:
    """A file that holds a whole book, or one part of a very long one, is written at `path`, with
    so many `chapters`."""

    book: str
    path: str
    duration_ms: int
    chapters: int
    book_id: int = 1


@dataclass(frozen=True, slots=True)
class BookLost:
    """A file that should hold a whole book is not written, for `reason`."""

    book: str
    path: str
    reason: str
    book_id: int = 1


@dataclass(frozen=True, slots=True)
class VoiceChanged:
    """The service of the book's voice is gone: this chapter, of which `missing` chunks were
    unspoken, is read from its beginning by the fallback `voice`, and its chunks are reported
    again."""

    book: str
    chapter: int
    title: str
    voice: str
    missing: int
    book_id: int = 1


@dataclass(frozen=True, slots=True)
class VoiceNoted:
    """What was learned of a `voice` from its replies, and is accepted from here on: one line."""

    backend: str
    voice: str
    note: str


@dataclass(frozen=True, slots=True)
class LimitChanged:
    """The `backend` gets at most `limit` requests at once from now on; `pause_s` is a pause for
    everyone."""

    backend: str
    limit: int
    reason: str
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class MachinesChanged:
    """So many `machines` of a cluster can speak now, so many chunks `at_once`."""

    machines: int
    at_once: int


@dataclass(frozen=True, slots=True)
class WorkerLeftOut:
    """A `worker` of a cluster speaks nothing more in this run, for `reason`."""

    worker: str
    reason: str


@dataclass(frozen=True, slots=True)
class JobDone:
    """The run has ended, after `wall_s`. `reason` says why it stopped early, if it did.
    `chapters_done` are all that are there now, of which `chapters_kept` stood there before.
    `requests` are all that were sent, `retries` those that had to be sent again, by their failure;
    `sound_ms` is the sound of all chunks, `characters_spoken` are those of this run."""

    chapters_done: int
    chapters_lost: int
    chunks_spoken: int
    chunks_cached: int
    chunks_failed: int
    requests: int
    retries: dict[str, int]
    characters_spoken: int
    sound_ms: int
    wall_s: float
    reason: str = ""
    chapters_kept: int = 0


Event = (
    JobStarted
    | FilesAwaited
    | ChunkStarted
    | ChunkRetried
    | ChunkDone
    | ChunkFailed
    | ChapterDone
    | ChapterLost
    | GainSettled
    | BookProgressed
    | BookDone
    | BookLost
    | VoiceChanged
    | VoiceNoted
    | LimitChanged
    | MachinesChanged
    | WorkerLeftOut
    | JobDone
)
Listener = Callable[[Event], None]


def join_listeners(*listeners: Listener) -> Listener:
    """One listener that passes every event to several."""

    def listen(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return listen


@dataclass(slots=True)
class ChapterTally:
    """How many chunks of a chapter are there or lost, with their characters and the length of their
    sound; the `new_characters` were not there before the run."""

    chunks: int = 0
    characters: int = 0
    new_characters: int = 0
    sound_ms: int = 0


@dataclass(slots=True)
class RunTotals:
    """A listener that counts what happened so far. `chapters` are by the numbers of book and
    chapter; the other counts are of the run, which a chapter that is read again adds to."""

    spoken: int = 0
    cached: int = 0
    failed: int = 0
    requests: int = 0
    characters_spoken: int = 0
    spoken_ms: int = 0
    chapters: defaultdict[tuple[int, int], ChapterTally] = field(
        default_factory=lambda: defaultdict(ChapterTally)
    )
    retries: Counter[str] = field(default_factory=Counter)
    doubts: list[ChunkDone] = field(default_factory=list)
    notes: list[VoiceNoted] = field(default_factory=list)
    lost: list[ChapterLost] = field(default_factory=list)
    books_lost: list[BookLost] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        match event:
            case ChunkStarted():
                self.requests += 1
            case ChunkRetried():
                self.retries[event.failure] += 1
            case ChunkDone():
                self._add_done(event)
            case ChunkFailed():
                self.failed += 1
                self._add_chunk(event, is_new=True)
            case VoiceChanged():  # its chunks are reported again
                self.failed -= event.missing
                again = event.book_id, event.chapter
                self.chapters.pop(again, None)
                self.doubts = [d for d in self.doubts if (d.book_id, d.chapter) != again]
            case VoiceNoted():
                self.notes.append(event)
            case ChapterLost():
                self.lost.append(event)
            case BookLost():
                self.books_lost.append(event)
            case _:
                pass

    def _add_done(self, event: ChunkDone) -> None:
        self._add_chunk(event, is_new=not event.cached).sound_ms += event.duration_ms
        if event.doubts:
            self.doubts.append(event)
        if event.cached:
            self.cached += 1
        else:
            self.spoken += 1
            self.characters_spoken += event.characters
            self.spoken_ms += event.duration_ms

    def _add_chunk(self, event: ChunkDone | ChunkFailed, *, is_new: bool) -> ChapterTally:
        tally = self.chapters[event.book_id, event.chapter]
        tally.chunks += 1
        tally.characters += event.characters
        tally.new_characters += event.characters if is_new else 0
        return tally

    @property
    def characters(self) -> int:
        """Characters that are spoken, were spoken before, or are lost."""
        return sum(tally.characters for tally in self.chapters.values())

    @property
    def new_characters(self) -> int:
        """Characters that this run has spoken or lost."""
        return sum(tally.new_characters for tally in self.chapters.values())

    def is_complete(self, book_id: int) -> bool:
        """Whether no sound may be missing from what was spoken of a book."""
        return not any(
            doubt.kind is DoubtKind.SOUND
            for event in self.doubts
            if event.book_id == book_id
            for doubt in event.doubts
        )

    def make_last_event(
        self, chapters_done: int, chapters_kept: int, wall_s: float, reason: str
    ) -> JobDone:
        """All of it, as the last event of the run."""
        return JobDone(
            chapters_done=chapters_done,
            chapters_lost=len(self.lost),
            chunks_spoken=self.spoken,
            chunks_cached=self.cached,
            chunks_failed=self.failed,
            requests=self.requests,
            retries=dict(self.retries),
            characters_spoken=self.characters_spoken,
            sound_ms=sum(tally.sound_ms for tally in self.chapters.values()),
            wall_s=wall_s,
            reason=reason,
            chapters_kept=chapters_kept,
        )


def as_dict(event: Event) -> dict[str, object]:
    """The event as plain data, its kind under "event"."""
    return {"event": type(event).__name__, **asdict(event)}


def describe_event(event: Event) -> str | None:
    """The plain line for an event, None for those that say nothing by themselves."""
    match event:
        case JobStarted():
            return _started(event)
        case FilesAwaited():
            return f"the files are written by {event.writer}: speaking along"
        case ChapterDone(kept=False):
            length = format_duration(event.duration_ms)
            return f"{event.book}: chapter {event.chapter} done, {length}: {event.title}"
        case ChapterLost():
            return f"{event.book}: chapter {event.chapter} not written: {event.reason}"
        case GainSettled():
            chapters = format_count(event.chapters, "chapter")
            return f"{chapters} to bring to the loudness of the book"
        case BookDone():
            chapters = format_count(event.chapters, "chapter")
            length = format_duration(event.duration_ms)
            return f"{event.book}: {event.path} done, {chapters}, {length}"
        case BookLost():
            return f"{event.book}: {event.path} not written: {event.reason}"
        case ChunkFailed():
            return (
                f"{event.place}: chunk {event.chapter}/{event.chunk} is not spoken: "
                f"“{event.words}” ({event.failure}). {event.reason}"
            )
        case VoiceChanged():
            return f"{event.book}: {event.voice} takes over chapter {event.chapter}: {event.title}"
        case LimitChanged() if event.pause_s > 0:
            return f"{event.backend}: a pause of {event.pause_s:.0f} s. {event.reason}"
        case WorkerLeftOut():
            return f"{event.worker} is left out: {event.reason}"
        case _:
            return None


def _started(event: JobStarted) -> str:
    if event.cached:
        others = f", {format_number(event.relabelled)} relabelled" if event.relabelled else ""
        return (
            f"{format_share(event.chunks - event.cached, event.chunks, 'chunks')} new "
            f"({format_count(event.new_characters, 'character')}); "
            f"{format_share(event.joined, event.chapters, 'chapters')} joined{others}"
        )
    return (
        f"{format_count(event.chapters, 'chapter')}, {format_count(event.chunks, 'chunk')}, "
        f"{format_count(event.characters, 'character')}, "
        f"about {format_duration(event.estimated_ms)} of sound"
    )


def log_event(event: Event) -> None:
    """A listener: events as records."""
    level, text = _describe_record(event)
    if text:
        logging.getLogger(EVENTS).log(level, "%s", escape_text(text))


def _describe_record(event: Event) -> tuple[int, str]:
    match event:
        case ChunkStarted():
            where = f"{event.chapter}/{event.chunk} of {event.book}"
            return logging.DEBUG, f"{where}: attempt {event.attempt}, {event.in_flight} in flight"
        case ChunkRetried():
            where = f"{event.chapter}/{event.chunk} of {event.book}"
            failed = f"attempt {event.attempt} failed ({event.failure}): {event.reason}"
            return logging.WARNING, f"{where}: {failed} Again in {event.wait_s:.1f} s."
        case ChunkDone():
            return _describe_done(event)
        case ChunkFailed() | ChapterLost() | BookLost():
            return logging.ERROR, describe_event(event) or ""
        case VoiceChanged():
            return logging.WARNING, describe_event(event) or ""
        case LimitChanged():
            limit = f"{event.backend}: at most {event.limit} at once"
            if event.pause_s:
                return logging.WARNING, f"{limit}, after a pause of {event.pause_s:.1f} s for all"
            return logging.INFO, f"{limit} from now on ({event.reason})"
        case MachinesChanged():
            machines = format_count(event.machines, "machine")
            return logging.INFO, f"cluster: {machines}, {event.at_once} at once"
        case WorkerLeftOut():
            return logging.WARNING, describe_event(event) or ""
        case VoiceNoted():
            return logging.INFO, f"{event.voice}: {event.note}"
        case JobDone():
            return logging.INFO, _describe_end(event)
        case _:
            return logging.INFO, describe_event(event) or ""


def _describe_done(event: ChunkDone) -> tuple[int, str]:
    where = f"{event.chapter}/{event.chunk} of {event.book} ({event.place})"
    if event.doubts:
        return logging.WARNING, f"{where}: kept with doubts: {'; '.join(map(str, event.doubts))}"
    if event.cached:
        return logging.DEBUG, f"{where}: from the cache"
    tries = "" if event.attempts == 1 else f", {format_count(event.attempts, 'attempt')}"
    sound = f"{event.characters} characters, {event.duration_ms / 1_000:.2f} s of sound"
    worker = f", by {event.worker}" if event.worker else ""
    return logging.INFO, f"{where}: spoken, {sound}{tries}{worker}"


def _describe_end(event: JobDone) -> str:
    retries = sum(event.retries.values())
    ended = f"{event.wall_s:.1f} s, {format_count(event.requests, 'request')}, {retries} retried"
    return f"the job has ended: {ended}" + (f"; {event.reason}" if event.reason else "")


def escape_text(text: str) -> str:
    """`text` on one line, harmless to a terminal: what cannot be seen is spelled out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def format_duration(ms: float) -> str:
    """A length as h:mm:ss."""
    seconds = round(ms / 1_000)
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def format_number(number: int) -> str:
    """A number with its thousands separated."""
    return f"{number:,}"


def format_count(number: int, thing: str) -> str:
    """A number of things: "1 chunk", "1,204 chunks"."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def format_share(some: int, all_of: int, things: str) -> str:
    """So many of all: "1 of 3 chunks is", "2 of 3 chunks are"."""
    thing = things.removesuffix("s") if all_of == 1 else things
    verb = "is" if 1 in (some, all_of) else "are"
    return f"{some:,} of {all_of:,} {thing} {verb}"


def quote_command(words: Sequence[str], *, windows: bool = os.name == "nt") -> str:
    """A command line as the user's shell takes it."""
    return subprocess.list2cmdline(words) if windows else shlex.join(words)
