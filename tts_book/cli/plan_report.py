"""Plans, voices and results as lines of text or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from tts_book.cli.cast_report import describe_cast
from tts_book.cli.voice_list import describe_voice
from tts_book.events import format_count, format_duration, format_number, format_share
from tts_book.model import Book, Skip
from tts_book.readers.book import count_by_reason, count_ink
from tts_book.text.language_tags import describe_language

if TYPE_CHECKING:
    from tts_book.pipeline.jobs import BookJob
    from tts_book.synthesis.chunk_cache import ChunkCache


_SHOWN = 60  # characters of what was left out


def list_skipped(book: Book) -> Iterator[str]:
    """Every piece left out with its place, size and reason, then the sums."""
    yield book.title
    for chapter in book.chapters:
        for skip in chapter.skips:
            if size := count_ink(skip.text):
                place = chapter.origin.source.place(skip.start)
                yield f"{place}\t{format_number(size)}\t{skip.reason}\t{_shown(skip)}"
    for reason, size in count_by_reason(_all(book)).items():
        yield f"  {format_number(size):>9}  {reason}"
    yield f"  {_sum(book)}"


def list_skipped_json(book: Book) -> Iterator[str]:
    """The same as JSON: a line for each piece with its whole text, then one with the sums."""
    for chapter in book.chapters:
        for skip in chapter.skips:
            place = str(chapter.origin.source.place(skip.start))
            size = count_ink(skip.text)
            entry = {"place": place, "characters": size, "reason": skip.reason, "text": skip.text}
            yield json.dumps(entry, ensure_ascii=False)
    yield json.dumps({"book": book.title, **asdict(book.ledger)}, ensure_ascii=False)


def skipped_summary(book: Book) -> str:
    """One line: what was left out, the most first; empty if it is nothing."""
    found = count_by_reason(_all(book))
    return ", ".join(f"{reason} {format_number(size)}" for reason, size in found.items())


def _all(book: Book) -> Iterator[Skip]:
    return (skip for chapter in book.chapters for skip in chapter.skips)


def _sum(book: Book) -> str:
    ledger = book.ledger
    spoken, skipped = format_number(ledger.spoken), format_number(ledger.skipped)
    sides = f"{spoken} spoken + {skipped} left out"
    if ledger.adds_up:
        return f"{sides} = all {format_number(ledger.source)} non-blank characters of the source"
    missing = format_number(abs(ledger.source - ledger.spoken - ledger.skipped))
    return (
        f"{sides}, but the source has {format_number(ledger.source)}: {missing} are unaccounted for"
    )


def _shown(skip: Skip) -> str:
    text = " ".join(skip.text[: 4 * _SHOWN].split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def describe_voices(jobs: Sequence[BookJob]) -> Iterator[str]:
    """Who speaks each book, and why."""
    for job in jobs:
        title, voice = job.request.book.title, job.cast.voice
        yield f"{title}: voice {describe_voice(voice)}; {job.cast.why}"
        yield from (f"{title}: {line}" for line in _other_voices(job))
        yield from (f"{title}: {line}" for line in describe_cast(job))
        yield from _pronunciations(job)
        if job.excerpt:
            yield f"an excerpt: {_excerpt(job)}"


def _other_voices(job: BookJob) -> Iterator[str]:
    for language, chosen in job.voices.items():
        voice = describe_voice(chosen.voice)
        yield f"in {describe_language(language)} voice {voice}; {chosen.why}"


def _pronunciations(job: BookJob) -> Iterator[str]:
    """Which list of pronunciations is in use, and how much it and numbers in words change."""
    from tts_book.text.spoken_text import find_differences

    path, changed = job.request.readings.pronunciations.path, find_differences(job.plan)
    if path or changed:
        share = format_share(changed, len(job.plan.chunks), "chunks")
        words = f"pronunciations from {path}; " if path else ""
        yield f"{words}{share} said otherwise than written"


def _excerpt(job: BookJob) -> str:
    chunks = [chunk for chunk in job.plan.chunks if job.asks_for(chunk)]
    first, last = (
        f"{chunk.chapter}/{chunk.number} at "
        f"{job.request.book.chapters[chunk.chapter - 1].origin.place(chunk.start)}"
        for chunk in (chunks[0], chunks[-1])
    )
    return f"from chunk {first} to the end of {last}"


def describe_plan(jobs: Sequence[BookJob], cache: ChunkCache) -> Iterator[str]:
    """Chapters with chunks, characters and estimated length; a total for each book."""
    from tts_book.pipeline.plan_view import view_plan

    for job in jobs:
        book, its = job.request.book, view_plan(job, cache)
        yield f"{book.title}" + (f", {book.author}" if book.author else "")
        yield f"  language {book.language}; voice {describe_voice(its.voice)}; {its.why}"
        yield from (f"  {line}" for line in _other_voices(job))
        width = len(str(len(book.chapters)))
        unread = {chapter.number: chapter.unread for chapter in book.chapters}
        for chapter in its.chapters:
            if reason := unread[chapter.number]:
                yield f"  {chapter.number:>{width}}  not read: {chapter.title}: {reason}"
                continue
            yield (
                f"  {chapter.number:>{width}}  {format_duration(chapter.estimated_ms):>8}  "
                f"{format_count(len(chapter.chunks), 'chunk'):>11}  "
                f"{format_count(chapter.characters, 'character'):>18}  {chapter.title}"
            )
        yield (
            f"  in all: {format_count(len(its.chapters), 'chapter')}, "
            f"{format_count(len(its.chunks), 'chunk')} "
            f"({format_number(sum(chunk.cached for chunk in its.chunks))} spoken already), "
            f"{format_number(its.characters)} characters, "
            f"about {format_duration(its.estimated_ms)} of sound"
        )
        yield from (f"  {line}" for line in _pronunciations(job))
        if left := skipped_summary(book):
            yield f"  left out: {left} (characters; `tts-book plan --skipped` shows them)"
        if job.excerpt:
            yield f"  an excerpt: {_excerpt(job)}"
        first, last = job.layout.files[0], job.layout.files[-1]
        yield f"  to {first}" + (f" … {last.name}" if last != first else "")


def list_redone(jobs: Sequence[BookJob]) -> Iterator[str]:
    """Every place where words stand that are spoken again."""
    for job in jobs:
        for chunk, key in zip(job.plan.chunks, job.keys, strict=True):
            if key in job.redo:
                place = job.request.book.chapters[chunk.chapter - 1].origin.place(chunk.start)
                words = " ".join(chunk.text.split())[:60]
                yield f"spoken again: {chunk.chapter}/{chunk.number} at {place}: “{words}”"


def explain_jobs(jobs: Sequence[BookJob], cache: ChunkCache) -> Iterator[str]:
    """Why each chunk that is not in the cache has to be spoken, and what is in doubt about the
    others."""
    from tts_book.pipeline.explain import explain_chunks, explain_doubts

    for job in jobs:
        spoken = list(explain_chunks(job, cache))
        for chunk, reason in spoken:
            place = job.request.book.chapters[chunk.chapter - 1].origin.place(chunk.start)
            yield f"{chunk.chapter}/{chunk.number} at {place}: {reason}"
        for chunk, doubt in explain_doubts(job, cache):
            yield f"{chunk.chapter}/{chunk.number} at {doubt.place}: {doubt}"
        yield f"{format_share(len(spoken), len(job.plan.chunks), 'chunks')} to be spoken"


def list_plan_json(jobs: Sequence[BookJob], cache: ChunkCache) -> Iterator[str]:
    """A line of JSON for each chunk, in order, with its place, key and file."""
    from tts_book.pipeline.plan_view import view_plan

    for its in (view_plan(job, cache) for job in jobs):
        for chapter in its.chapters:
            for chunk in chapter.chunks:
                line = {
                    "book": its.book.title,
                    "language": its.book.language,
                    "voice": chunk.voice,
                    "backend": its.voice.backend,
                    "role": chunk.role,
                    "chapter": chunk.chapter,
                    "title": chapter.title,
                    "chunk": chunk.number,
                    "place": str(chunk.place),
                    "after": chunk.after.value,
                    "text": chunk.text,
                    "spoken": chunk.spoken,
                    "key": chunk.key,
                    "cached": chunk.cached,
                    "file": str(chapter.path),
                }
                yield json.dumps(line, ensure_ascii=False)


def list_chunks(jobs: Sequence[BookJob]) -> Iterator[str]:
    """Every chunk: its number, its place in the source, what follows it, who reads it where that
    is not one voice, its text on one line."""
    from tts_book.pipeline.casting import role_name

    for job in jobs:
        for chunk in job.plan.chunks:
            chapter = job.request.book.chapters[chunk.chapter - 1]
            place = chapter.origin.place(chunk.start)
            text = " ".join(chunk.spoken.split())
            role = f"\t{role_name(chunk.role)}" if job.readers else ""
            yield f"{chunk.chapter}/{chunk.number}\t{place}\t{chunk.after.value}{role}\t{text}"
