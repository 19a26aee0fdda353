"""A chapter becomes chunks: units that one request speaks. Pure: no sound, no network.

A chunk ends where a sentence ends, rather where a paragraph does, and never crosses a heading or
a scene break. Which ends are taken is decided by the text around them (`choose_boundaries`), so
that an edit leaves the chunks further away as they were.
"""

from __future__ import annotations

import math
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate, pairwise
from types import MappingProxyType
from zlib import crc32

from tts_book.model import Book, Break, Chapter, Chunk, Plan
from tts_book.text.dialogue.roles import NARRATOR, RoleSpan, split_by_role
from tts_book.text.sentences import Splitter
from tts_book.text.speech_rate import estimate_ms, ms_per_character

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
            yield section, Break.strongest(kinds), role
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


# The least that stays together in a chunk, and how much of a chunk it takes.
#
# A unit is a sentence; of one that is too long for a chunk, a word; of a word that is too long, a
# few characters. Each knows what ends behind it.


# One size for all backends. Edge cuts at 4,096 bytes (edge-tts) and stops at 600 s of sound for
# one request; large requests are also the ones that trickle or lose words.
MAX_CHARACTERS = 1_500
MAX_ESCAPED_BYTES = 3_500
MAX_ESTIMATED_MS = 300_000

# All three limits in one unit, so that a chunk is full when any of them is reached.
LIMIT = 2_100_000
_PER_CHARACTER = LIMIT // MAX_CHARACTERS
_PER_BYTE = LIMIT // MAX_ESCAPED_BYTES
_PER_MS = LIMIT // MAX_ESTIMATED_MS
_PER_BLANK = 3 * _PER_BYTE  # the widest white space, and more than any language takes for it

_VOICED = re.compile(r"[^\W_]")
_GAP = re.compile(r"\s+")
_CLAUSE_ENDS = frozenset(";:；：")
_COMMAS = frozenset(",，、،")
_DASHES = frozenset("—–")
_CLOSING = "\"'”’»)]"

_LONG_WORD = LIMIT // 8
_FEWEST, _USUAL, _MOST = 8, 100, 400  # characters between two cuts of one endless word


class Grade(IntEnum):
    """What ends here, from the best place to end a chunk to the worst."""

    PARAGRAPH = 0
    SENTENCE = 1
    CLAUSE = 2
    COMMA = 3
    WORD = 4
    LETTER = 5


@dataclass(slots=True)
class Unit:
    """The least that is kept together: a sentence, or a part of one that is too long."""

    start: int
    stop: int
    load: int
    grade: Grade


def escaped_bytes(text: str) -> int:
    """UTF-8 bytes of the text after XML escaping of & < and >."""
    markup = 4 * text.count("&") + 3 * (text.count("<") + text.count(">"))
    return len(text.encode("utf-8", "surrogatepass")) + markup


def _load(text: str, ms_each: float) -> int:
    """How much of a chunk the text takes. The load of a whole is never above that of its parts."""
    ms = math.ceil(len(text) * ms_each)
    return max(len(text) * _PER_CHARACTER, escaped_bytes(text) * _PER_BYTE, ms * _PER_MS)


def find_units(
    text: str, start: int, stop: int, splitter: Splitter, ms_each: float
) -> Iterator[Unit]:
    """The sentences of the paragraph, the ones that are too long in parts."""
    for left, right in splitter.spans(text[start:stop]):
        unit = Unit(
            start + left,
            start + right,
            _load(text[start + left : start + right], ms_each),
            Grade.PARAGRAPH if start + right == stop else Grade.SENTENCE,
        )
        if unit.load <= LIMIT:
            yield unit
        else:
            yield from _parts(text, unit, ms_each)


def _parts(text: str, sentence: Unit, ms_each: float) -> Iterator[Unit]:
    """The words of a sentence, each with the grade of what stands behind it."""
    at = sentence.start
    while at < sentence.stop:
        gap = _GAP.search(text, at, sentence.stop)
        end = gap.start() if gap else sentence.stop
        grade = _grade(text, at, gap) if gap else sentence.grade
        load = _load(text[at:end], ms_each)
        if load > _LONG_WORD:
            yield from _letters(text, Unit(at, end, load, grade), ms_each)
        else:
            yield Unit(at, end, load, grade)
        at = gap.end() if gap else sentence.stop


def _grade(text: str, start: int, gap: re.Match[str]) -> Grade:
    behind = text[max(start, gap.start() - 4) : gap.start()].rstrip(_CLOSING)[-1:]
    if behind in _CLAUSE_ENDS or "\n" in gap.group():
        return Grade.CLAUSE
    if behind in _COMMAS or text[gap.end() : gap.end() + 1] in _DASHES:
        return Grade.COMMA
    return Grade.WORD


def _letters(text: str, word: Unit, ms_each: float) -> Iterator[Unit]:
    """Parts of a word without end (or of a script that writes no spaces), cut where the
    characters themselves say so, never inside what is read as one character."""
    at = word.start
    for end in range(word.start + 1, word.stop):
        grade = _letter_grade(text, at, end)
        if grade is not None:
            yield Unit(at, end, _load(text[at:end], ms_each), grade)
            at = end
    yield Unit(at, word.stop, _load(text[at : word.stop], ms_each), word.grade)


def _letter_grade(text: str, at: int, end: int) -> Grade | None:
    """Whether a cut is possible before `end`, and how good; `at` is where the last one was."""
    mark = text[end - 1]
    if mark in _CLAUSE_ENDS or mark in _COMMAS:
        grade = Grade.CLAUSE if mark in _CLAUSE_ENDS else Grade.COMMA
    elif end - at < _FEWEST or (end - at < _USUAL and hash_text(text[end - 6 : end]) & 15):
        return None
    else:
        grade = Grade.LETTER
    return None if end - at < _MOST and inseparable(mark, text[end]) else grade


def inseparable(left: str, right: str) -> bool:
    """Whether two characters belong to one grapheme, seen from their border."""
    return (
        unicodedata.category(right) in ("Mn", "Mc", "Me", "Cf")
        or left == "\u200d"
        or "\U0001f3fb" <= right <= "\U0001f3ff"  # skin tones
        or "\U0001f1e6" <= right <= "\U0001f1ff"  # the letters of flags
        or "\ud800" <= left <= "\udfff"
        or "\u1160" <= right <= "\u11ff"  # Hangul vowels and finals
    )


def hash_text(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass"))


def unit_loads(units: list[Unit]) -> Iterator[int]:
    """The load of each unit with the white space before it."""
    before = units[0].start
    for unit in units:
        yield (unit.start - before) * _PER_BLANK + unit.load
        before = unit.stop


def join_silent_units(units: list[Unit], text: str) -> list[Unit]:
    """The same text in units that each have something to speak: a stray dash or asterisks go
    with the unit before, or else the one behind, if the limits let them."""
    joined: list[Unit] = []
    silent: Unit | None = None
    for unit in units:
        if _VOICED.search(text, unit.start, unit.stop):
            if silent and not _join(silent, unit):
                joined.append(silent)
                silent = unit
            joined.append(silent or unit)
            silent = None
        elif silent:
            if not _join(silent, unit):
                joined.append(silent)
                silent = unit
        elif not (joined and _join(joined[-1], unit)):
            silent = unit
    return [*joined, silent] if silent else joined


def _join(unit: Unit, behind: Unit) -> bool:
    """Lengthens `unit` by what stands behind it, if both fit into a chunk."""
    load = unit.load + (behind.start - unit.stop) * _PER_BLANK + behind.load
    if load > LIMIT:
        return False
    unit.stop, unit.load, unit.grade = behind.stop, load, min(unit.grade, behind.grade)
    return True


# Which of many possible ends become the ends of chunks, decided by what stands near them.
#
# Every possible end has a place (the load of everything before it) and a key (a local hash; lower
# is better). Its *reach* is the way to the nearest end with a lower key, on the nearer side. An end
# is taken if the nearest ends with a greater reach, one on each side, lie further apart than one
# chunk may hold. That is the same as cutting everything that is too long at its end of greatest
# reach, again and again; but said so, nothing counts from the start of the text. If one end comes,
# goes or changes its key, only what lies between its two taken neighbours can change, and ends of
# great reach lie far apart: so the chunks are neither large nor small, and an edit of one sentence
# makes three of them new at most. On novels two edits in ten thousand make a fourth, none a fifth
# (`benchmarks/sentences.py edits`): where a new strong end leaves a little more than one chunk on
# both of its sides.
#
# Text that repeats itself has ends without reach only. Such stretches are cut from their left.


_LEAST_REACH = 1 / 6  # of what a chunk may hold
_MARGIN = 1 / 5  # an end without reach keeps this far from its neighbours, if it can
_STRETCH = 4  # more chunks than this without an end of some reach are cut from the left


def choose_boundaries(places: Sequence[int], keys: Sequence[float], limit: int) -> list[int]:
    """Indices of the ends that become ends of chunks, ascending; the last index is always one.

    `places[i]` is the load up to end i, ascending; a chunk holds at most `limit`, unless a single
    step between two ends is longer than that.
    """
    last = len(places) - 1
    reach = _reach(places, keys)
    able = [i for i, width in enumerate(reach) if width >= _LEAST_REACH * limit]
    left, right = _nearest_lower([-reach[i] for i in able], able, last)
    wide = [i for i, a, b in zip(able, left, right, strict=True) if _width(places, a, b) > limit]
    chosen = []
    for before, after in pairwise([-1, *wide, last]):
        if _width(places, before, after) > limit:
            chosen += _cut(places, keys, before, after, limit)
        chosen.append(after)
    return chosen


def _width(places: Sequence[int], before: int, after: int) -> int:
    return places[after] - (places[before] if before >= 0 else 0)


def _reach(places: Sequence[int], keys: Sequence[float]) -> list[int]:
    """The reach of every end but the last. The borders of the text count as lower than all."""
    last = len(places) - 1
    left, right = _nearest_lower(keys[:last], range(last), last)
    return [min(_width(places, left[i], i), _width(places, i, right[i])) for i in range(last)]


def _nearest_lower(
    keys: Sequence[float], ends: Sequence[int], last: int
) -> tuple[list[int], list[int]]:
    """For each of the ends the nearest one on its left with a key as low as its own or lower,
    and the nearest on its right with a lower one; -1 and `last` where there is none."""
    left, right = [-1] * len(ends), [last] * len(ends)
    waiting: list[int] = []
    for at, key in enumerate(keys):
        while waiting and keys[waiting[-1]] > key:
            right[waiting.pop()] = ends[at]
        if waiting:
            left[at] = ends[waiting[-1]]
        waiting.append(at)
    return left, right


def _cut(
    places: Sequence[int], keys: Sequence[float], before: int, after: int, limit: int
) -> list[int]:
    """Ends inside a stretch where none has any reach, ascending."""
    cuts: list[int] = []
    if _width(places, before, after) > _STRETCH * limit:
        while _width(places, before, after) > limit and after - before > 1:
            before = _next(places, keys, before, after, limit)
            cuts.append(before)
        return cuts
    waiting = [(before, after)]
    while waiting:
        before, after = waiting.pop()
        if _width(places, before, after) > limit and after - before > 1:
            cut = _best(places, keys, before, after, limit)
            cuts.append(cut)
            waiting += [(before, cut), (cut, after)]
    return sorted(cuts)


def _next(places: Sequence[int], keys: Sequence[float], before: int, after: int, limit: int) -> int:
    """The last of the best ends in the further half of what one chunk may hold from `before`."""
    best = before + 1
    for i in range(before + 1, after):
        width = _width(places, before, i)
        if width > limit:
            break
        if 2 * width < limit or 2 * _width(places, before, best) < limit or keys[i] <= keys[best]:
            best = i
    return best


def _best(places: Sequence[int], keys: Sequence[float], before: int, after: int, limit: int) -> int:
    """The best end between two others that makes no more chunks than needed, and no tiny one."""
    inner = range(before + 1, after)
    fewest = _chunks(_width(places, before, after), limit)
    few = [
        i
        for i in inner
        if _chunks(_width(places, before, i), limit) + _chunks(_width(places, i, after), limit)
        <= fewest
    ]
    apart = [
        i
        for i in few or inner
        if min(_width(places, before, i), _width(places, i, after)) >= _MARGIN * limit
    ]
    return min(apart or few or inner, key=keys.__getitem__)


def _chunks(width: int, limit: int) -> int:
    return -(-width // limit)
