"""Selects parts of a book: chapters ("3", "2-5") and chunks ("3/17") by their numbers, and excerpts
by their places."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from tts_book.errors import UserError
from tts_book.model import Chunk, Plan
from tts_book.text.speech_rate import estimate_ms

if TYPE_CHECKING:
    from tts_book.pipeline.jobs import BookJob

_PART = re.compile(r"(\d{1,6})(?:-(\d{1,6})|/(\d{1,6}))?")

# Places where an excerpt begins or ends.
_PLACE = re.compile(r"\d{1,6}(?:/\d{1,6})?")
_LINE = re.compile(r"[Ll](\d{1,9})")
_TIME = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{2})")


@dataclass(frozen=True, slots=True)
class Selection:
    """Chapters, and single chunks as (chapter, chunk). Empty: everything."""

    chapters: frozenset[int] = frozenset()
    chunks: frozenset[tuple[int, int]] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.chapters or self.chunks)

    @property
    def touched(self) -> frozenset[int]:
        """All chapters that are named or hold a named chunk."""
        return self.chapters | {chapter for chapter, _ in self.chunks}

    def names(self, chunk: Chunk) -> bool:
        """Whether the chunk is named, by itself or with its chapter."""
        return self.holds(chunk.chapter, chunk.number)

    def holds(self, chapter: int, chunk: int) -> bool:
        """Whether a chunk is named, by its numbers."""
        return chapter in self.chapters or (chapter, chunk) in self.chunks


EVERYTHING = Selection()


def parse_selection(text: str, option: str) -> Selection:
    """The selection that "3, 5-7, 9/2" means. Raises UserError."""
    chapters: set[int] = set()
    chunks: set[tuple[int, int]] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = _PART.fullmatch(part)
        if found is None:
            raise UserError(
                f'{option} "{part}" is not understood: name chapters (3 or 2-5) or chunks (3/17).'
            )
        first, last, chunk = found.groups()
        if chunk:
            chunks.add((int(first), int(chunk)))
        else:
            if int(last or first) < int(first):
                raise UserError(f'{option} "{part}" runs backwards: write {last}-{first}.')
            chapters.update(range(int(first), int(last or first) + 1))
    if text and not (chapters or chunks):
        raise UserError(
            f'{option} "{text}" names nothing: name chapters (3 or 2-5) or chunks (3/17).'
        )
    return Selection(frozenset(chapters), frozenset(chunks))


def _name_range(chapters: int) -> str:
    return f"chapters 1 to {chapters}" if chapters > 1 else "only chapter 1"


def check_selection(selection: Selection, plan: Plan, option: str) -> None:
    """Raises UserError if the plan has no such chapter or chunk."""
    there = {(chunk.chapter, chunk.number) for chunk in plan.chunks}
    count = len(plan.book.chapters)
    for chapter in sorted(selection.chapters):
        if not 1 <= chapter <= count:
            raise UserError(
                f'{option}: "{plan.book.title}" has {_name_range(count)}, no {chapter}.'
            )
    for chapter, chunk in sorted(selection.chunks - there):
        last = max((number for at, number in there if at == chapter), default=0)
        known = (
            f"chapter {chapter} has chunks 1 to {last}"
            if last
            else f"the book has {_name_range(count)}"
        )
        raise UserError(f"{option}: there is no chunk {chapter}/{chunk}: {known}.")


def select_parts(job: BookJob, only: Selection, redo: Selection) -> BookJob:
    """The book with a part of it chosen. Chunks that say the same as one that is spoken again
    change, too, so their chapters are part of it. Raises UserError for numbers that are not there.
    """
    check_selection(only, job.plan, "--only")
    check_selection(redo, job.plan, "--redo")
    again = frozenset(
        key for chunk, key in zip(job.plan.chunks, job.keys, strict=True) if redo.names(chunk)
    )
    touched = frozenset(
        chunk.chapter for chunk, key in zip(job.plan.chunks, job.keys, strict=True) if key in again
    )
    if redo:
        only = Selection(only.chapters | touched, only.chunks)
    return replace(job, only=only, redo=again)


def select_excerpt(job: BookJob, start: str, stop: str) -> BookJob:
    """The book with only the chunks between two places asked for; "" is its start or end. Raises
    UserError for places that are not there or in the wrong order."""
    first = _find_place(job, start, "--from")[0] if start else 0
    last = _find_place(job, stop, "--to")[1] if stop else len(job.plan.chunks) - 1
    if first > last:
        raise UserError(f"--from {start} is after --to {stop}: swap them.")
    chunks = job.plan.chunks[first : last + 1]
    wanted = frozenset((chunk.chapter, chunk.number) for chunk in chunks)
    return replace(job, only=Selection(chunks=wanted), excerpt=True)


def _find_place(job: BookJob, place: str, option: str) -> tuple[int, int]:
    """The first and the last chunk that a place names, by their order in the plan."""
    place = place.strip()
    if _PLACE.fullmatch(place):
        return _find_part(job.plan, place, option)
    if line := _LINE.fullmatch(place):
        return _find_line(job.plan, int(line[1]), option)
    if time := _TIME.fullmatch(place):
        hours, minutes, seconds = (int(part or 0) for part in time.groups())
        return _find_time(job, 1_000 * (3_600 * hours + 60 * minutes + seconds), place, option)
    return _find_words(job.plan, place, option)


def _find_part(plan: Plan, place: str, option: str) -> tuple[int, int]:
    named = parse_selection(place, option)
    check_selection(named, plan, option)
    found = [at for at, chunk in enumerate(plan.chunks) if named.names(chunk)]
    if not found:
        raise UserError(f"{option}: there is nothing to say in chapter {place}.")
    return found[0], found[-1]


def _find_line(plan: Plan, line: int, option: str) -> tuple[int, int]:
    """A line that is left out or blank means what follows it."""
    if not line:
        raise UserError(f"{option} L0: lines count from 1.")
    origins = [chapter.origin for chapter in plan.book.chapters]
    if len({id(origin.source) for origin in origins}) > 1:
        raise UserError(f"{option} L{line}: this book has several sources: name a chapter.")
    if plan.chunks and not origins[0].place(0).line:
        raise UserError(f"{option} L{line}: this source has no lines: name a chapter.")
    until = [origins[c.chapter - 1].place(max(c.start, c.stop - 1)).line for c in plan.chunks]
    at = next((at for at, last in enumerate(until) if last >= line), None)
    if at is None:
        raise UserError(f"{option} L{line}: the last line that is spoken is {max(until)}.")
    return at, at


def _find_time(job: BookJob, at_ms: int, place: str, option: str) -> tuple[int, int]:
    language, rate_pct = job.request.book.language, job.cast.voice.rate_pct
    lengths_ms = (estimate_ms(chunk.spoken, language, rate_pct) for chunk in job.plan.chunks)
    until_ms = list(accumulate(lengths_ms))
    at = bisect_right(until_ms, at_ms)
    if at == len(until_ms) and option == "--from":
        raise UserError(f"{option} {place}: the book is about {until_ms[-1] // 60_000} min long.")
    return (min(at, len(until_ms) - 1),) * 2


def _find_words(plan: Plan, words: str, option: str) -> tuple[int, int]:
    pattern = re.compile(r"\s+".join(map(re.escape, words.split())) or "$^", re.IGNORECASE)
    at = next((at for at, c in enumerate(plan.chunks) if pattern.search(c.text)), None)
    if at is None:
        raise UserError(
            f"{option} “{words}” is not found: name a chapter (3), a chunk (3/17), a line (L120), "
            "a time (12:30), or words of the text."
        )
    return at, at
