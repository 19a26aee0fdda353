"""The least that stays together in a chunk, and how much of a chunk it takes.

A unit is a sentence; of one that is too long for a chunk, a word; of a word that is too long, a
few characters. Each knows what ends behind it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from zlib import crc32

from tts_book.text.sentences import Splitter

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
_CLOSERS = "\"'”’»)]"

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
    behind = text[max(start, gap.start() - 4) : gap.start()].rstrip(_CLOSERS)[-1:]
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
