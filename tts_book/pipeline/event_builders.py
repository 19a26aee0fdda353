"""The events of a run, made of what it has in hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tts_book import events
from tts_book.output.whole_book import Volume
from tts_book.pipeline.chapter_job import ChapterJob, list_tasks, locate_chunk
from tts_book.pipeline.planning import BookJob
from tts_book.pipeline.up_to_date import EarlierFile
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.text.speech_rate import estimate_ms

# How a chapter begins its reason that lacks chunks which nobody asked for.
ONLY = "--only leaves out"


def explain_missing(chapter: ChapterJob) -> str:
    """Why a chapter with missing chunks is not written."""
    be = "is" if chapter.missing == 1 else "are"
    if chapter.left_out == chapter.missing:
        return f"{ONLY} {chapter.missing} of its chunks that {be} not spoken yet"
    return f"{chapter.missing} of its chunks {be} not spoken"


def job_started(
    books: int,
    chapters: Sequence[ChapterJob],
    earlier: Mapping[Path, EarlierFile],
    cache: ChunkCache,
) -> events.JobStarted:
    """What is asked for, and what of it is there already."""
    sums: Counter[str] = Counter()
    for task in list_tasks(chapters):
        book, spoken = chapters[task.group].job.request.book, task.chunk.spoken
        is_new = task.again or not cache.has(task.key)
        sums["chunks"] += 1
        sums["cached"] += not is_new
        sums["characters"] += len(spoken)
        sums["new_characters"] += len(spoken) if is_new else 0
        sums["estimated_ms"] += estimate_ms(spoken, book.language, task.voice.rate_pct)
    stands = [earlier[chapter.target] for chapter in chapters if chapter.target in earlier]
    return events.JobStarted(
        books=books,
        chapters=len(chapters),
        chunks=sums["chunks"],
        cached=sums["cached"],
        characters=sums["characters"],
        estimated_ms=sums["estimated_ms"],
        joined=len(chapters) - len(stands),
        new_characters=sums["new_characters"],
        relabelled=sum(not each.as_it_should for each in stands),
    )


def chunks_done(chapter: ChapterJob, stands: EarlierFile) -> Iterator[events.ChunkDone]:
    """The chunks of a chapter whose file stands."""
    for chunk, taken in zip(chapter.chunks, stands.made.taken, strict=True):
        yield events.ChunkDone(
            chapter.job.request.book.title,
            chunk.chapter,
            chunk.number,
            len(chunk.spoken),
            taken.duration_ms,
            True,
            taken.attempts,
            locate_chunk(chapter.chapter, chunk),
            taken.doubts,
        )


def chapter_done(
    chapter: ChapterJob, path: Path, duration_ms: int, *, kept: bool = False
) -> events.ChapterDone:
    """A chapter's file is there."""
    return events.ChapterDone(*_named(chapter), str(path), duration_ms, kept)


def chapter_lost(chapter: ChapterJob, reason: str) -> events.ChapterLost:
    """A chapter's file cannot be written."""
    return events.ChapterLost(*_named(chapter), chapter.missing, reason)


def voice_changed(chapter: ChapterJob, voice: str) -> events.VoiceChanged:
    """A chapter is begun anew by another voice."""
    return events.VoiceChanged(*_named(chapter), voice, chapter.missing)


def _named(chapter: ChapterJob) -> tuple[str, int, str]:
    return chapter.job.request.book.title, chapter.chapter.number, chapter.chapter.title


def book_done(job: BookJob, made: Volume) -> events.BookDone:
    """A file of the whole book is there."""
    return events.BookDone(
        job.request.book.title, str(made.path), made.duration_ms, len(made.chapters)
    )
