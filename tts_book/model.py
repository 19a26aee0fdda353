"""The values that travel: a Book of Chapters, a Plan of Chunks, Speech, Segments.

Audio time is whole milliseconds (`_ms`), sizes are bytes (`_bytes`), text positions are
characters of the text named beside them, ranges are half open.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal


class Break(StrEnum):
    """What follows a chunk, from the weakest to the strongest."""

    SENTENCE = "sentence"
    VOICE = "voice"
    PARAGRAPH = "paragraph"
    HEADING = "heading"
    SCENE = "scene"
    CHAPTER = "chapter"

    @staticmethod
    def strongest(kinds: Iterable[Break]) -> Break:
        """The strongest of several breaks at one place."""
        return max(kinds, key=list(Break).index)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is in the source: line and column (from 1), or a label."""

    source: str
    line: int = 0
    column: int = 0
    label: str = ""

    def __str__(self) -> str:
        if self.label:
            return f"{self.source}#{self.label}"
        return f"{self.source}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Source:
    """The decoded text of a file: its name, and where its lines (or labelled parts) begin.

    `starts` are character offsets in ascending order, the first is 0. `labels`, where present,
    name the parts (an anchor in an EPUB, a page of a PDF) and are as many as `starts`.
    """

    name: str
    starts: tuple[int, ...] = (0,)
    labels: tuple[str, ...] = ()

    def place(self, offset: int) -> Place:
        """The place of the character at `offset` of the source's text."""
        at = bisect_right(self.starts, offset) - 1
        if self.labels:
            return Place(self.name, label=self.labels[at])
        return Place(self.name, at + 1, offset - self.starts[at] + 1)


@dataclass(frozen=True, slots=True)
class Run:
    """`length` characters from `start` of a chapter's text are at `source` of the source.

    `covers` is how many characters of the source they stand for, where that is not `length`:
    an entity or a letter and its accent become one character.
    """

    start: int
    source: int
    length: int
    covers: int = 0


@dataclass(frozen=True, slots=True)
class Origin:
    """Leads every character of a chapter back to the source. Runs are in order of `start`."""

    source: Source
    runs: tuple[Run, ...]

    def offset(self, position: int) -> int:
        """Source offset of the chapter's character at `position`; for a character that the
        program put in, that of the nearest character before it."""
        at = max(0, bisect_right(self.runs, position, key=lambda run: run.start) - 1)
        if not self.runs:
            return 0
        run = self.runs[at]
        return run.source + max(0, min(position - run.start, run.length - 1))

    def place(self, position: int) -> Place:
        """Place in the source of the chapter's character at `position`."""
        return self.source.place(self.offset(position))


@dataclass(frozen=True, slots=True)
class Skip:
    """Characters `start` to `stop` of the source that are not spoken, and why."""

    start: int
    stop: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class BreakAt:
    """A break stronger than a paragraph's, after the paragraph that ends at `offset`."""

    offset: int
    kind: Break


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter: its text begins with its heading, which is spoken like all the rest.

    `text` is NFC, free of control characters, its paragraphs parted by exactly one blank line.
    `breaks` are the ends of its headings and scenes, in order. `language` is its own where that is
    not the book's; `unread` is why its file could not be read: it has no text then, but a number.
    """

    number: int
    title: str
    text: str
    origin: Origin
    skips: tuple[Skip, ...] = ()
    breaks: tuple[BreakAt, ...] = ()
    language: str = ""
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Cover:
    """A picture for the front: its bytes and MIME type."""

    data: bytes
    mime: str

    @classmethod
    def identify(cls, data: bytes) -> Cover | None:
        """The JPEG or PNG picture that these bytes are, by how they begin; None for others."""
        for head, mime in ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png")):
            if data.startswith(head):
                return cls(data, mime)
        return None


@dataclass(frozen=True, slots=True)
class Ledger:
    """What became of the non-blank characters of a source: it adds up if none is missing."""

    source: int = 0
    spoken: int = 0
    skipped: int = 0

    @property
    def adds_up(self) -> bool:
        return self.source == self.spoken + self.skipped


@dataclass(frozen=True, slots=True)
class ChapterMark:
    """Where a chapter is in a file that has several, as players count time."""

    title: str
    start_ms: int
    stop_ms: int


@dataclass(frozen=True, slots=True)
class Book:
    """Chapters numbered 1..n. `language` is BCP 47. `notices` are one-line remarks for the user
    on what was guessed while reading (an encoding, a language) or found odd. `series_part` is the
    book's place in its series, as the book writes it. `path` is the file (or folder) that it was
    read from, where the reader of the book keeps hold of it. `missing` are one-line remarks on
    parts that the file should hold and does not, or only damaged."""

    title: str
    language: str
    chapters: tuple[Chapter, ...]
    author: str = ""
    cover: Cover | None = None
    notices: tuple[str, ...] = ()
    skips: tuple[Skip, ...] = ()
    series: str = ""
    series_part: str = ""
    year: str = ""
    ledger: Ledger = Ledger()
    path: Path | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SpeechServer:
    """A server that speaks, as voices.toml names it. `url` has no name and password in it: those
    are `login` ("name:password"). `name` stands for the address in cache keys; `key_env` is the
    environment variable that holds the key; `extra` is a JSON object of more that is sent."""

    url: str
    name: str
    model: str = ""
    format: str = "wav"
    instructions: str = ""
    key_env: str = ""
    extra: str = ""
    login: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice as voices.toml names it. Changes are signed; 0 is the service's own."""

    name: str
    backend: str
    id: str
    language: str = ""
    rate_pct: int = 0
    pitch_hz: int = 0
    volume_pct: int = 0
    fallback: tuple[str, ...] = ()
    gender: str = ""
    server: SpeechServer | None = None

    def as_record(self) -> dict[str, object]:
        """The voice as a book's manifest holds it: without anything secret."""
        record = asdict(self)
        if self.server is None:
            del record["server"]
        else:
            shown = ("name", "model", "format")
            record["server"] = {name: getattr(self.server, name) for name in shown}
        return record


@dataclass(frozen=True, slots=True)
class Pauses:
    """Milliseconds of silence after each kind of break."""

    sentence_ms: int = 600
    voice_ms: int = 250
    paragraph_ms: int = 900
    heading_ms: int = 1_200
    scene_ms: int = 1_800
    chapter_ms: int = 2_000

    def after(self, kind: Break) -> int:
        """The pause after `kind`, in ms."""
        ms: int = getattr(self, f"{kind.value}_ms")
        return ms


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a chapter that one request speaks: `text == chapter.text[start:stop]`.

    `spoken` is what is sent. Where it differs from `text`, `alignment` pairs offsets of `spoken`
    with offsets of `text`, ascending; empty means that they run in step. `role` is who reads it,
    "" the narrator.
    """

    chapter: int
    number: int
    start: int
    stop: int
    text: str
    spoken: str
    after: Break
    alignment: tuple[tuple[int, int], ...] = ()
    role: str = ""

    @property
    def heading_start(self) -> int | None:
        """Where in `text` the heading begins with which the chunk ends; None without one."""
        if self.after is not Break.HEADING:
            return None
        parting = self.text.rfind("\n\n")
        return parting + 2 if parting >= 0 else 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be said: the book and all its chunks in reading order. No audio, no voice's
    limits: the same book gives the same chunks whoever speaks it."""

    book: Book
    chunks: tuple[Chunk, ...]
    estimated_ms: int = 0

    def of_chapter(self, number: int) -> Iterator[Chunk]:
        """The chunks of one chapter, in order."""
        return (chunk for chunk in self.chunks if chunk.chapter == number)


@dataclass(frozen=True, slots=True)
class Mark:
    """When characters `start` to `stop` of a chunk's spoken text are heard."""

    kind: Literal["word", "sentence"]
    start_ms: int
    stop_ms: int
    start: int
    stop: int

    def moved(self, later_ms: int, further: int = 0) -> Mark:
        """The same mark in a longer sound, `later_ms` on, of a text that begins `further`
        characters earlier."""
        return Mark(
            self.kind,
            self.start_ms + later_ms,
            self.stop_ms + later_ms,
            self.start + further,
            self.stop + further,
        )


class DoubtKind(StrEnum):
    """What is in doubt about a chunk that was spoken."""

    SOUND = "sound"  # a part of its sound may be missing
    UNSPOKEN = "unspoken"  # the voice does not say these words
    UNDETERMINED = "undetermined"  # nobody can tell whether these words are said
    ODD = "odd"  # it sounds odd, and was shown to be complete
    MARKS = "marks"  # its marks do not fit, its sound does
    TIMES = "times"  # the times of its sentences are estimated


_DOUBTS = {
    DoubtKind.SOUND: "sound may be missing: ",
    DoubtKind.UNSPOKEN: "not spoken by this voice: ",
    DoubtKind.UNDETERMINED: "cannot be determined whether this voice says it: ",
    DoubtKind.ODD: "",
    DoubtKind.MARKS: "marks in doubt: ",
    DoubtKind.TIMES: "",
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a chunk deserves a second listen, in one line. `start` to `stop` are the characters
    concerned: of the text that was sent, then of the chunk's own text; equal for all of it.
    `place` is where they stand in the source, where that is known."""

    kind: DoubtKind
    what: str
    start: int = 0
    stop: int = 0
    place: str = ""

    def __str__(self) -> str:
        return f"{_DOUBTS[self.kind]}{self.what}"

    @property
    def packed(self) -> list[str | int]:
        """As JSON, for records and the cache."""
        return [self.kind.value, self.what, self.start, self.stop]

    @staticmethod
    def unpack(known: Any) -> Doubt:
        """What `packed` made; version 0.1.0 kept lines for people instead."""
        if isinstance(known, str):
            return Doubt(DoubtKind.MARKS, known)
        kind, what, start, stop = known
        return Doubt(DoubtKind(kind), what, start, stop)

    def moved(self, further: int) -> Doubt:
        """The same, `further` characters on."""
        return replace(self, start=self.start + further, stop=self.stop + further)


@dataclass(frozen=True, slots=True)
class Speech:
    """One complete answer of a backend: MP3, or mono 16-bit little-endian PCM at `rate_hz`.

    `doubts` are reasons why an accepted answer is still suspicious.
    """

    audio: bytes
    encoding: Literal["mp3", "pcm"]
    rate_hz: int = 24_000
    marks: tuple[Mark, ...] = ()
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True, slots=True)
class Sound:
    """What was found out about whole MP3 frames when they came. All positions count frames.

    `speech_start` to `speech_stop` hold everything above the silence threshold (equal where there
    is nothing); `quiet` are the silent stretches between them. `loudness_lufs` is None for sound
    too short or too quiet to measure, `peak_dbfs` None for digital silence. `runs_ms` are from
    when to when speech is heard without a quiet stretch (empty where only frames are known).
    """

    version: int
    frames: int
    frame_bytes: int
    samples_per_frame: int
    rate_hz: int
    speech_start: int
    speech_stop: int
    quiet: tuple[tuple[int, int], ...]
    loudness_lufs: float | None
    peak_dbfs: float | None
    runs_ms: tuple[tuple[int, int], ...] = ()

    @property
    def duration_ms(self) -> int:
        """Length of all frames."""
        return round(self.frames * self.samples_per_frame * 1_000 / self.rate_hz)


@dataclass(frozen=True, slots=True)
class Entry:
    """A spoken chunk in the cache: `frames_bytes` of MP3 frames at the start of the file `path`,
    and what is known of them. `about` is what was said and how; `take` differs from that of any
    other sound for the same words."""

    path: Path
    frames_bytes: int
    sound: Sound
    marks: tuple[Mark, ...]
    about: dict[str, str]
    doubts: tuple[Doubt, ...] = ()
    attempts: int = 1
    take: str = ""


@dataclass(frozen=True, slots=True)
class Segment:
    """A chunk whose audio is on disk."""

    chunk: Chunk
    entry: Entry
    cached: bool
