"""A plan to look at: the chapters that are asked for, every chunk with what is sent, its key,
whether it is spoken already, and how long it will take to hear; and why a chunk will be spoken:
what changed since the run that left the manifest beside the files."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tts_book.model import Book, Break, Chunk, Doubt, Place, Voice
from tts_book.output.manifest import manifest_path, read_lines, read_run
from tts_book.pipeline.casting import role_name
from tts_book.pipeline.jobs import BookJob
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.synthesis.pool import locate_doubts
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


# What goes into a cache key besides the text, in the words of the user.
_SETTINGS = {
    "backend": "backend",
    "id": "voice",
    "language": "language",
    "rate_pct": "rate",
    "pitch_hz": "pitch",
    "volume_pct": "volume",
}
_CHANGES_SHOWN = 3
_WORDS_BETWEEN = 2  # fewer do not part two changes


@dataclass(frozen=True, slots=True)
class _EarlierRun:
    """What the manifest says: the keys of what is written, how each text was said, and what of the
    voice is changed since."""

    keys: frozenset[str]
    said: dict[str, str]
    changed: str


def explain_chunks(job: BookJob, cache: ChunkCache) -> Iterator[tuple[Chunk, str]]:
    """Each chunk that is asked for and has to be spoken, with the reason."""
    before, first = _read_earlier(job), dict[str, Chunk]()
    for chunk, key in zip(job.plan.chunks, job.keys, strict=True):
        again = key in job.redo
        if not (job.asks_for(chunk) and (again or cache.get(key) is None)):
            continue
        if (same := first.setdefault(key, chunk)) is not chunk:
            yield chunk, f"the same words as {same.chapter}/{same.number}, spoken once for both"
        else:
            yield (
                chunk,
                "--redo asks for another recording" if again else _find_reason(chunk, key, before),
            )


def explain_doubts(job: BookJob, cache: ChunkCache) -> Iterator[tuple[Chunk, Doubt]]:
    """What is in doubt about the chunks that are asked for and spoken, with the places."""
    for chapter in job.asked_chapters:
        for chunk, key in zip(chapter.chunks, chapter.keys, strict=True):
            entry = cache.get(key) if job.asks_for(chunk) and key not in job.redo else None
            if entry is not None:
                for doubt in locate_doubts(entry.doubts, chunk, partial(chapter.locate, chunk)):
                    yield chunk, doubt


def _read_earlier(job: BookJob) -> _EarlierRun:
    path = manifest_path(job.layout)
    written = [chunk for chapter in read_lines(path, "chapter") for chunk in chapter["chunks"]]
    planned = [chunk for chapter in read_lines(path, "unwritten") for chunk in chapter["chunks"]]
    run = read_run(path)
    return _EarlierRun(
        frozenset(chunk["key"] for chunk in written),
        {chunk["text"]: chunk["spoken"] or chunk["text"] for chunk in (*planned, *written)},
        _compare_voices(job, run) if run else "",
    )


def _find_reason(chunk: Chunk, key: str, before: _EarlierRun) -> str:
    if not before.said:
        return "never spoken before"
    if key in before.keys:
        return "its entry in the cache is gone or damaged"
    said = before.said.get(chunk.text)
    if said is None:
        return "its text is new"
    if said == chunk.spoken or before.changed:
        return before.changed or "it was not finished"
    return f"it is said otherwise: {_compare_words(said, chunk.spoken)}"


def _compare_words(before: str, now: str) -> str:
    """The words that differ."""
    old, new = before.split(), now.split()
    spans: list[tuple[int, int, int, int]] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        if spans and a - spans[-1][1] <= _WORDS_BETWEEN:
            a, _, c, _ = spans.pop()
        spans.append((a, b, c, d))
    changed = (f"“{' '.join(old[a:b])}” → “{' '.join(new[c:d])}”" for a, b, c, d in spans)
    changes = list(dict.fromkeys(changed))
    more = f" and {len(changes) - _CHANGES_SHOWN} more" if len(changes) > _CHANGES_SHOWN else ""
    return ", ".join(changes[:_CHANGES_SHOWN]) + more


def _compare_voices(job: BookJob, run: dict[str, Any]) -> str:
    """What is said differently now, for text that is the same."""
    voice, before = job.cast.voice.as_record(), run["voice"]
    changes = [
        f"{name} {before.get(field)} → {voice[field]}"
        for field, name in _SETTINGS.items()
        if before.get(field) != voice[field]
    ]
    fingerprint = job.cast.backend.fingerprint(job.cast.voice)
    if not changes and run["fingerprint"] != fingerprint:
        changes.append(f"the engine: {run['fingerprint']} → {fingerprint}")
    return ", ".join(changes)
