"""Builds the events of a run from its values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from tts_book import events
from tts_book.output.whole_book import Volume
from tts_book.pipeline.jobs import BookJob, ChapterJob
from tts_book.pipeline.up_to_date import EarlierFile
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.synthesis.pool import locate_doubts
from tts_book.text.speech_rate import estimate_ms

# How a chapter begins its reason that lacks chunks which were not asked for.
ONLY = "--only leaves out"


def explain_missing(missing: int, left_out: int) -> str:
    """Why a chapter with missing chunks is not written; `left_out` of them were not asked for."""
    be = "is" if missing == 1 else "are"
    if left_out == missing:
        return f"{ONLY} {missing} of its chunks that {be} not spoken yet"
    return f"{missing} of its chunks {be} not spoken"


def job_started(
    books: int,
    chapters: Sequence[ChapterJob],
    earlier: Mapping[Path, EarlierFile],
    cache: ChunkCache,
) -> events.JobStarted:
    """What is asked for, and what of it is there already."""
    sums: Counter[str] = Counter()
    for chapter in chapters:
        job = chapter.job
        language = job.request.book.language
        for chunk, key in zip(chapter.chunks, chapter.keys, strict=True):
            characters = len(chunk.spoken)
            is_new = key in job.redo or not cache.has(key)
            sums["chunks"] += 1
            sums["cached"] += not is_new
            sums["characters"] += characters
            sums["new_characters"] += characters if is_new else 0
            rate_pct = job.reader_of(chunk).voice.rate_pct
            sums["estimated_ms"] += estimate_ms(chunk.spoken, language, rate_pct)
    found = [earlier[chapter.target] for chapter in chapters if chapter.target in earlier]
    return events.JobStarted(
        books=books,
        chapters=len(chapters),
        chunks=sums["chunks"],
        cached=sums["cached"],
        characters=sums["characters"],
        estimated_ms=sums["estimated_ms"],
        joined=len(chapters) - len(found),
        new_characters=sums["new_characters"],
        relabelled=sum(not each.is_current for each in found),
    )


def chunks_done(chapter: ChapterJob, earlier: EarlierFile) -> Iterator[events.ChunkDone]:
    """The chunks of a chapter whose file is up to date."""
    for chunk, used in zip(chapter.chunks, earlier.made.used, strict=True):
        yield events.ChunkDone(
            chapter.job.request.book.title,
            chunk.chapter,
            chunk.number,
            len(chunk.spoken),
            used.duration_ms,
            True,
            used.attempts,
            chapter.locate(chunk),
            locate_doubts(used.doubts, chunk, partial(chapter.locate, chunk)),
            chapter.job.number,
        )


def chapter_done(
    chapter: ChapterJob, path: Path | None, duration_ms: int, *, kept: bool = False
) -> events.ChapterDone:
    """A chapter is written; `path` is None where it has no file of its own."""
    name = "" if path is None else str(path)
    return events.ChapterDone(*_name_fields(chapter), name, duration_ms, kept, chapter.job.number)


def chapter_lost(chapter: ChapterJob, reason: str, missing: int = 0) -> events.ChapterLost:
    """A chapter cannot be written."""
    return events.ChapterLost(*_name_fields(chapter), missing, reason, chapter.job.number)


def voice_changed(chapter: ChapterJob, voice: str, missing: int) -> events.VoiceChanged:
    """A chapter is read by another voice from its beginning."""
    return events.VoiceChanged(*_name_fields(chapter), voice, missing, chapter.job.number)


def _name_fields(chapter: ChapterJob) -> tuple[str, int, str]:
    return chapter.job.request.book.title, chapter.number, chapter.chapter.title


def book_done(job: BookJob, made: Volume) -> events.BookDone:
    """A file of the whole book is there."""
    title = job.request.book.title
    return events.BookDone(title, str(made.path), made.duration_ms, len(made.chapters), job.number)
