"""Chapters on their way: what is still out, and their segments for the stitcher."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import overload

from tts_book.audio.tags_id3 import Tags
from tts_book.errors import AudioError, BackendError, UserError
from tts_book.model import Chapter, Chunk, Segment
from tts_book.pipeline.planning import BookJob, make_keys
from tts_book.pipeline.voice_selection import ChosenVoice
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.synthesis.pool import Task
from tts_book.text.spoken_text import apply_readings


@dataclass(slots=True)
class ChapterJob:
    """A chapter on its way: how many of its chunks are still out, how many were lost, and how many
    of these because they were not asked for."""

    job: BookJob
    chapter: Chapter
    first: int
    chunks: tuple[Chunk, ...]
    waiting: int
    missing: int = 0
    left_out: int = 0

    @property
    def target(self) -> Path:
        """Where its file is written, or would be if chapters were kept."""
        return self.job.layout.targets[self.chapter.number - 1]

    @property
    def keys(self) -> tuple[str, ...]:
        """The cache keys of its chunks."""
        return self.job.keys[self.first : self.first + len(self.chunks)]


@dataclass(frozen=True, slots=True)
class UsedEntry:
    """What is kept of a segment when its sound is in the file: which `take` it was, how long its
    sound was, and how it came about."""

    take: str
    duration_ms: int
    attempts: int = 1
    doubts: tuple[str, ...] = ()


class ChapterSegments(Sequence[Segment]):
    """The segments of a chapter, each read from the cache when it is asked for: a chapter of any
    length needs the memory of one. `taken` is filled as they are read."""

    def __init__(self, chapter: ChapterJob, cache: ChunkCache) -> None:
        self._chapter, self._cache = chapter, cache
        self.taken = [UsedEntry("", 0)] * len(chapter.chunks)

    def __len__(self) -> int:
        return len(self._chapter.chunks)

    @overload
    def __getitem__(self, index: int) -> Segment: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Segment]: ...
    def __getitem__(self, index: int | slice) -> Segment | Sequence[Segment]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        at = index % len(self)
        key = self._chapter.job.keys[self._chapter.first + at]
        entry = self._cache.get(key)
        if entry is None:
            self._cache.drop(key)  # or a file that stands would hide it from the next run
            number = self._chapter.chunks[at].number
            raise AudioError(f"what was spoken of chunk {number} has vanished, or is damaged")
        self.taken[at] = UsedEntry(
            entry.take, entry.sound.duration_ms, entry.attempts, entry.doubts
        )
        return Segment(self._chapter.chunks[at], entry, cached=True)


def list_chapter_jobs(job: BookJob) -> Iterator[ChapterJob]:
    """The chapters of a book that are asked for, with the chunks of each, in order."""
    chunks, touched = job.plan.chunks, job.only.touched
    first = 0
    for chapter in job.request.book.chapters:
        last = first
        while last < len(chunks) and chunks[last].chapter == chapter.number:
            last += 1
        if job.excerpt:
            begin, end = _asked(job, first, last)
            if begin < end:
                yield ChapterJob(job, chapter, begin, chunks[begin:end], end - begin)
        elif chapter.number in touched or not job.only:
            yield ChapterJob(job, chapter, first, chunks[first:last], last - first)
        first = last


def _asked(job: BookJob, first: int, last: int) -> tuple[int, int]:
    """Which of these chunks, one after the other, are asked for by name."""
    asked = [at for at in range(first, last) if job.asks_for(job.plan.chunks[at])]
    return (asked[0], asked[-1] + 1) if asked else (first, first)


async def take_over_chapters(job: BookJob) -> list[ChapterJob]:
    """The chapters that are asked for, for the next fallback voice that can speak now; none
    without one."""
    for at, (voice, backend_of) in enumerate(job.cast.fallback):
        try:
            backend = backend_of(voice.backend)
            if not (await backend.health()).usable:
                continue
            plan = apply_readings(job.plan, voice, job.request.readings)
            keys = make_keys(plan, voice, backend)
        except (BackendError, UserError):  # its engine or its model is not there
            continue
        cast = ChosenVoice(voice, backend, "it takes over", job.cast.fallback[at + 1 :])
        return list(list_chapter_jobs(replace(job, plan=plan, cast=cast, keys=keys)))
    return []


def make_tags(job: BookJob, chapter: Chapter) -> Tags:
    """What players show of a chapter's file."""
    book, count = job.request.book, len(job.request.book.chapters)
    # A text without a title of its own is called after its file, which says less than its heading.
    has_title = count == 1 and book.title != job.request.stem
    return Tags(
        title=book.title if has_title else chapter.title,
        album=book.title,
        artist=book.author,
        narrator=job.cast.voice.name,
        track=chapter.number,
        tracks=count,
        language=book.language,
        cover=book.cover,
        owner=job.layout.owner,
        year=book.year,
        series=book.series,
        series_part=book.series_part,
    )


def list_tasks(chapters: Sequence[ChapterJob]) -> Iterator[Task]:
    """A task for every chunk; its group is the chapter's place among these."""
    order = 0
    for group, chapter in enumerate(chapters):
        job = chapter.job
        for chunk, key in zip(chapter.chunks, chapter.keys, strict=True):
            yield Task(
                order,
                group,
                job.request.book.title,
                chunk,
                key,
                job.cast.voice,
                job.cast.backend,
                partial(locate_chunk, chapter.chapter, chunk),
                again=key in job.redo,
                wanted=job.asks_for(chunk),
            )
            order += 1


def locate_chunk(chapter: Chapter, chunk: Chunk) -> str:
    """Where a chunk begins in the source."""
    return str(chapter.origin.place(chunk.start))
