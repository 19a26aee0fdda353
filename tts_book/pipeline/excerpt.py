"""A stretch of a book to listen to, from one place of it to another: one file of its own.

A place is a chapter (`3`), a chunk (`3/17`), a line of the source (`L120`), a time as it was
estimated (`12:30`), or some words of the text. The stretch ends with the chunk, or the chapter,
that the last place names. What is spoken for it is kept: the whole book need not speak it again.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import replace
from itertools import accumulate

from tts_book.errors import UserError
from tts_book.model import Plan
from tts_book.pipeline.planning import Prepared
from tts_book.pipeline.selection import Selection, check, parse
from tts_book.text.speech_rate import estimated_ms

_PART = re.compile(r"\d{1,6}(?:/\d{1,6})?")
_LINE = re.compile(r"[Ll](\d{1,9})")
_TIME = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):(\d{2})")


def excerpted(item: Prepared, start: str, stop: str) -> Prepared:
    """The book with only the chunks between two places asked for; "" is its start or end. Raises
    UserError for places that are not there or that stand the other way round."""
    first = _found(item, start, "--from")[0] if start else 0
    last = _found(item, stop, "--to")[1] if stop else len(item.plan.chunks) - 1
    if first > last:
        raise UserError(f"--from {start} stands after --to {stop}: swap them.")
    chunks = item.plan.chunks[first : last + 1]
    wanted = frozenset((chunk.chapter, chunk.number) for chunk in chunks)
    return replace(item, only=Selection(chunks=wanted), excerpt=True)


def _found(item: Prepared, place: str, option: str) -> tuple[int, int]:
    """The first and the last chunk that a place names, by their order in the plan."""
    place = place.strip()
    if _PART.fullmatch(place):
        return _part(item.plan, place, option)
    if line := _LINE.fullmatch(place):
        return _line(item.plan, int(line[1]), option)
    if time := _TIME.fullmatch(place):
        hours, minutes, seconds = (int(part or 0) for part in time.groups())
        return _time(item, 1_000 * (3_600 * hours + 60 * minutes + seconds), place, option)
    return _words(item.plan, place, option)


def _part(plan: Plan, place: str, option: str) -> tuple[int, int]:
    named = parse(place, option)
    check(named, plan, option)
    found = [at for at, chunk in enumerate(plan.chunks) if named.names(chunk)]
    if not found:
        raise UserError(f"{option}: there is nothing to say in chapter {place}.")
    return found[0], found[-1]


def _line(plan: Plan, line: int, option: str) -> tuple[int, int]:
    """A line that is left out or blank means what follows it."""
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


def _time(item: Prepared, at_ms: int, place: str, option: str) -> tuple[int, int]:
    language, rate_pct = item.work.book.language, item.cast.voice.rate_pct
    lengths_ms = (estimated_ms(chunk.spoken, language, rate_pct) for chunk in item.plan.chunks)
    until_ms = list(accumulate(lengths_ms))
    at = bisect_right(until_ms, at_ms)
    if at == len(until_ms) and option == "--from":
        raise UserError(f"{option} {place}: the book is about {until_ms[-1] // 60_000} min long.")
    return (min(at, len(until_ms) - 1),) * 2


def _words(plan: Plan, words: str, option: str) -> tuple[int, int]:
    pattern = re.compile(r"\s+".join(map(re.escape, words.split())) or "$^", re.IGNORECASE)
    at = next((at for at, c in enumerate(plan.chunks) if pattern.search(c.text)), None)
    if at is None:
        raise UserError(
            f"{option} “{words}” is not found: name a chapter (3), a chunk (3/17), a line (L120), "
            "a time (12:30), or words that stand in the text."
        )
    return at, at
