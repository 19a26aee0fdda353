"""A chapter becomes chunks: units that one request speaks. Pure: no sound, no network.

A chunk ends where a sentence ends, rather where a paragraph does, and never crosses a heading or
a scene break. Which ends are taken is decided by the text around them (`boundaries`), so that an
edit leaves the chunks further away as they were.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from types import MappingProxyType

from tts_book.model import Book, Break, Chapter, Chunk, Plan
from tts_book.text.boundaries import choose_boundaries
from tts_book.text.dialogue.roles import NARRATOR, RoleSpan, split_by_role
from tts_book.text.sentences import Splitter
from tts_book.text.speech_rate import estimate_ms, ms_per_character
from tts_book.text.units import (
    LIMIT,
    MAX_CHARACTERS,
    MAX_ESCAPED_BYTES,
    MAX_ESTIMATED_MS,
    Grade,
    Unit,
    escaped_bytes,
    find_units,
    hash_text,
    join_silent_units,
    unit_loads,
)

__all__ = [
    "MAX_CHARACTERS",
    "MAX_ESCAPED_BYTES",
    "MAX_ESTIMATED_MS",
    "chunk_chapter",
    "escaped_bytes",
    "plan_book",
]

# The stretches of each chapter that are not the narrator's.
Roles = Mapping[int, Sequence[RoleSpan]]

_INK = re.compile(r"\S")
_CLOSERS = r"[\"'”’“‘»«›)\]}*_]*"
_SENTENCE_END = re.compile(rf"[.!?…。！？।؟۔]{_CLOSERS}\Z")
_CLAUSE_END = re.compile(rf"[.!?…。！？।؟۔:：]{_CLOSERS}\Z")
_LONGEST_TITLE = 120  # characters of a line of a title page
_HASHED = 24  # characters before an end that decide its key

# The lowest key of each grade and how far its keys are spread: paragraphs mostly go before
# sentences, and everything inside a sentence comes after both.
_KEYS = ((0.0, 0.1), (0.0, 1.0), (1.0, 0.3), (1.0, 1.0), (2.0, 1.0), (3.0, 1.0))


def plan_book(book: Book, roles: Roles = MappingProxyType({})) -> Plan:
    """All chunks of a book in reading order; `roles` are the stretches of its chapters, by their
    numbers, that are not the narrator's. The same book gives the same plan."""
    sample = "\n\n".join(chapter.text for chapter in book.chapters)
    splitter = Splitter(book.language, sample)
    found = tuple(
        chunk
        for chapter in book.chapters
        for chunk in chunk_chapter(chapter, splitter, book.language, roles.get(chapter.number, ()))
    )
    return Plan(book, found, sum(estimate_ms(chunk.spoken, book.language) for chunk in found))


def chunk_chapter(
    chapter: Chapter, splitter: Splitter, language: str, roles: Sequence[RoleSpan] = ()
) -> tuple[Chunk, ...]:
    """The chunks of one chapter, numbered from 1; together they cover every non-blank character,
    and none has text of two roles."""
    spans = [
        (*span, role)
        for section, after, role in _sections(chapter, splitter, language, roles)
        for span in _spans(join_silent_units(section, chapter.text), after, chapter.text)
    ]
    if spans:
        start, stop, _, role = spans[-1]
        spans[-1] = (start, stop, Break.CHAPTER, role)
    return tuple(
        Chunk(chapter.number, number, start, stop, spoken, spoken, after, role=role)
        for number, (start, stop, after, role) in enumerate(spans, 1)
        for spoken in (chapter.text[start:stop],)
    )


def _sections(
    chapter: Chapter, splitter: Splitter, language: str, roles: Sequence[RoleSpan]
) -> Iterator[tuple[list[Unit], Break, str]]:
    """The units between two breaks that no chunk may cross, the break behind them, and who reads
    them."""
    ms = ms_per_character(language)
    breaks = deque(chapter.breaks)
    section: list[Unit] = []
    role = NARRATOR
    has_prose = False  # before that stand the titles of a book and its parts
    for start, stop in _paragraphs(chapter.text):
        kinds = []
        while breaks and breaks[0].offset <= stop:
            kinds.append(breaks.popleft().kind)
        if section and Break.HEADING in kinds:
            has_prose = has_prose or any(_is_prose(chapter.text, unit) for unit in section)
            if has_prose and not _ends_with(_SENTENCE_END, chapter.text, section[-1]):
                yield section, Break.PARAGRAPH, role
                section = []
        for piece in split_by_role(chapter.text, start, stop, _within(roles, start, stop)):
            if section and piece.role != role:
                yield section, Break.PARAGRAPH if piece.start == start else Break.VOICE, role
                section = []
            role = piece.role
            left, right = _strip(chapter.text, piece.start, piece.stop)
            section += find_units(chapter.text, left, right, splitter, ms)
        if kinds and section:
            yield section, max(kinds, key=list(Break).index), role
            section = []
    if section:
        yield section, Break.CHAPTER, role


def _within(roles: Sequence[RoleSpan], start: int, stop: int) -> Sequence[RoleSpan]:
    first = bisect_right(roles, start, key=lambda span: span.stop)
    last = bisect_left(roles, stop, key=lambda span: span.start)
    return roles[first:last]


def _strip(text: str, start: int, stop: int) -> tuple[int, int]:
    stripped = text[start:stop].rstrip()
    return start + len(stripped) - len(stripped.lstrip()), start + len(stripped)


def _is_prose(text: str, unit: Unit) -> bool:
    """Whether this is more than a line of a title page."""
    if unit.stop - unit.start > _LONGEST_TITLE:
        return True
    said = text[unit.start : unit.stop]
    return said != said.upper() and _ends_with(_CLAUSE_END, text, unit)


def _ends_with(mark: re.Pattern[str], text: str, unit: Unit) -> bool:
    """Whether a voice hears the end of a sentence there: without it, a heading that follows in
    the same chunk is said as the last words of that sentence."""
    return mark.search(text, max(unit.start, unit.stop - _HASHED), unit.stop) is not None


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Spans of the paragraphs, without white space around them."""
    start = 0
    while start < len(text):
        parting = text.find("\n\n", start)
        end = len(text) if parting < 0 else parting
        first = _INK.search(text, start, end)
        if first:
            yield first.start(), start + len(text[start:end].rstrip())
        start = end + 2


def _spans(section: list[Unit], after: Break, text: str) -> Iterator[tuple[int, int, Break]]:
    """The chunks of one section: start, stop and what follows."""
    places = list(accumulate(unit_loads(section)))
    keys = [_key(unit, text) for unit in section]
    first = 0
    for last in choose_boundaries(places, keys, LIMIT):
        kind = Break.PARAGRAPH if section[last].grade is Grade.PARAGRAPH else Break.SENTENCE
        end = last == len(section) - 1
        yield section[first].start, section[last].stop, after if end else kind
        first = last + 1


def _key(unit: Unit, text: str) -> float:
    low, spread = _KEYS[unit.grade]
    tail = text[max(unit.start, unit.stop - _HASHED) : unit.stop]
    return low + spread * hash_text(tail) / 2**32
