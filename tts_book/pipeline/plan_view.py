"""A plan to look at: the chapters that are asked for, every chunk with what is sent, its key,
whether it is spoken already, and how long it will take to hear."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tts_book.model import Book, Break, Chunk, Place, Voice
from tts_book.pipeline.casting import role_name
from tts_book.text.speech_rate import estimate_ms

if TYPE_CHECKING:
    from tts_book.pipeline.jobs import BookJob
    from tts_book.synthesis.chunk_cache import ChunkCache


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """A chunk, the words of one request. `text` is the book's, `spoken` what is sent of it
    (pronunciations and numbers put in), `after` the kind of break that follows, `place` where it
    begins in the source. `key` names its sound in the cache, `path` is that file. `cached`: it is
    there already; `new`: converting would have it spoken (it is not there, or spoken again). `role`
    is who reads it, `voice` the name of the voice."""

    chapter: int
    number: int
    text: str
    spoken: str
    after: Break
    place: Place
    key: str
    path: Path
    cached: bool
    new: bool
    estimated_ms: int
    role: str = "narrator"
    voice: str = ""


@dataclass(frozen=True, slots=True)
class ChapterPlan:
    """A chapter with its chunks, in order, and the file that it becomes (which exists only on the
    way where no format asks for chapters)."""

    number: int
    title: str
    path: Path
    chunks: tuple[ChunkPlan, ...]

    @property
    def characters(self) -> int:
        """Characters that are sent."""
        return sum(len(chunk.spoken) for chunk in self.chunks)

    @property
    def estimated_ms(self) -> int:
        """Estimated length at the voice's rate, without pauses."""
        return sum(chunk.estimated_ms for chunk in self.chunks)


@dataclass(frozen=True, slots=True)
class BookPlan:
    """What converting a book would do: its voice and `why` that one, the chapters that are asked
    for, and all files that it becomes."""

    book: Book
    voice: Voice
    why: str
    chapters: tuple[ChapterPlan, ...]
    files: tuple[Path, ...]

    @property
    def chunks(self) -> tuple[ChunkPlan, ...]:
        """The chunks of all chapters, in reading order."""
        return tuple(chunk for chapter in self.chapters for chunk in chapter.chunks)

    @property
    def new(self) -> tuple[ChunkPlan, ...]:
        """The chunks that converting would have spoken."""
        return tuple(chunk for chunk in self.chunks if chunk.new)

    @property
    def characters(self) -> int:
        """Characters that are sent, those that are spoken already included."""
        return sum(chapter.characters for chapter in self.chapters)

    @property
    def estimated_ms(self) -> int:
        """Estimated length at the voice's rate, without pauses."""
        return sum(chapter.estimated_ms for chapter in self.chapters)


def view_plan(job: BookJob, cache: ChunkCache) -> BookPlan:
    """The plan of a book that is prepared."""
    return BookPlan(
        job.request.book,
        job.cast.voice,
        job.cast.why,
        tuple(_view_chapters(job, cache)),
        job.layout.files,
    )


def _view_chapters(job: BookJob, cache: ChunkCache) -> Iterator[ChapterPlan]:
    for asked in job.asked_chapters:
        keyed = zip(asked.chunks, asked.keys, strict=True)
        chunks = tuple(_view_chunk(job, cache, chunk, key) for chunk, key in keyed)
        yield ChapterPlan(asked.chapter.number, asked.chapter.title, asked.target, chunks)


def _view_chunk(job: BookJob, cache: ChunkCache, chunk: Chunk, key: str) -> ChunkPlan:
    book, cached = job.request.book, cache.has(key)
    reader = job.reader_of(chunk)
    return ChunkPlan(
        chapter=chunk.chapter,
        number=chunk.number,
        text=chunk.text,
        spoken=chunk.spoken,
        after=chunk.after,
        place=book.chapters[chunk.chapter - 1].origin.place(chunk.start),
        key=key,
        path=cache.path(key),
        cached=cached,
        new=job.asks_for(chunk) and (not cached or key in job.redo),
        estimated_ms=estimate_ms(chunk.spoken, book.language, reader.voice.rate_pct),
        role=role_name(chunk.role),
        voice=reader.voice.name,
    )
