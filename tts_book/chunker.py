"""A chapter becomes chunks: pieces that one request speaks. Pure: no sound, no network.

A chunk ends where a sentence ends, rather where a paragraph does, and never crosses a heading or
a scene break. Which ends are taken is decided by the text around them (`boundaries`), so that an
edit leaves the chunks further away as they were.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate
from zlib import crc32

from tts_book.boundaries import choose
from tts_book.model import Book, Break, Chapter, Chunk, Plan
from tts_book.sentences import Splitter

# One size for all backends. Edge cuts at 4,096 bytes (edge-tts) and stops at 600 s of sound for
# one request; large requests are also the ones that trickle or lose words.
MAX_CHARACTERS = 1_500
MAX_ESCAPED_BYTES = 3_500
MAX_ESTIMATED_MS = 300_000

# Characters a second, spaces included, measured on Edge's voices at their own rate: the middle
# between single sentences with and without the silence around them. +-15 %.
_CHARACTERS_PER_S = {
    "ru": 13.6, "en": 15.2, "de": 18.3, "fr": 18.7, "es": 16.6, "uk": 13.1, "kk": 16.3,
    "it": 15.0, "pt": 15.1, "pl": 15.5, "tr": 13.8, "zh": 4.8, "ja": 6.1, "ko": 6.7,
    "ar": 12.4, "hi": 11.2, "vi": 17.6,
}  # fmt: skip
_OTHER_CHARACTERS_PER_S = 14.0

# All three limits in one unit, so that a chunk is full when any of them is reached.
_LIMIT = 2_100_000
_PER_CHARACTER = _LIMIT // MAX_CHARACTERS
_PER_BYTE = _LIMIT // MAX_ESCAPED_BYTES
_PER_MS = _LIMIT // MAX_ESTIMATED_MS

_INK = re.compile(r"\S")
_VOICED = re.compile(r"[^\W_]")
_GAP = re.compile(r"\s+")
_CLAUSE_ENDS = frozenset(";:；：")
_COMMAS = frozenset(",，、،")
_DASHES = frozenset("—–")
_CLOSERS = "\"'”’»)]"

_HASHED = 24  # characters before an end that decide its key
_LONG_WORD = _LIMIT // 8
_FEWEST, _USUAL, _MOST = 8, 100, 400  # characters between two cuts of one endless word


class _Grade(IntEnum):
    """What ends here, from the best place to end a chunk to the worst."""

    PARAGRAPH = 0
    SENTENCE = 1
    CLAUSE = 2
    COMMA = 3
    WORD = 4
    LETTER = 5


# The lowest key of each grade and how far its keys are spread: paragraphs mostly go before
# sentences, and everything inside a sentence comes after both.
_KEYS = ((0.0, 0.1), (0.0, 1.0), (1.0, 0.3), (1.0, 1.0), (2.0, 1.0), (3.0, 1.0))


@dataclass(slots=True)
class _Piece:
    """The least that is kept together: a sentence, or a part of one that is too long."""

    start: int
    stop: int
    load: int
    grade: _Grade


def plan(book: Book) -> Plan:
    """All chunks of a book in reading order. The same book gives the same plan."""
    sample = "\n\n".join(chapter.text for chapter in book.chapters)
    splitter = Splitter(book.language, sample)
    found = tuple(
        chunk for chapter in book.chapters for chunk in chunks(chapter, splitter, book.language)
    )
    return Plan(book, found, sum(estimated_ms(chunk.spoken, book.language) for chunk in found))


def chunks(chapter: Chapter, splitter: Splitter, language: str) -> tuple[Chunk, ...]:
    """The chunks of one chapter, numbered from 1; together they cover every non-blank character."""
    spans = [
        span
        for pieces, after in _sections(chapter, splitter, language)
        for span in _spans(pieces, after, chapter.text)
    ]
    if spans:
        spans[-1] = (*spans[-1][:2], Break.CHAPTER)
    return tuple(
        Chunk(chapter.number, number, start, stop, chapter.text[start:stop], spoken, after)
        for number, (start, stop, after) in enumerate(spans, 1)
        for spoken in (chapter.text[start:stop],)
    )


def estimated_ms(text: str, language: str, rate_pct: int = 0) -> int:
    """How long the text sounds, in ms, within about 15 %, at a rate changed by `rate_pct`."""
    return round(len(text) * _ms_per_character(language) / max(0.1, 1 + rate_pct / 100))


def escaped_bytes(text: str) -> int:
    """UTF-8 bytes of the text after XML escaping of & < and >."""
    markup = 4 * text.count("&") + 3 * (text.count("<") + text.count(">"))
    return len(text.encode("utf-8", "surrogatepass")) + markup


def _ms_per_character(language: str) -> float:
    primary = re.split(r"[-_]", language, maxsplit=1)[0].lower()
    return 1_000 / _CHARACTERS_PER_S.get(primary, _OTHER_CHARACTERS_PER_S)


def _load(text: str, ms_per_character: float) -> int:
    """How much of a chunk the text takes. The load of a whole is never above that of its parts."""
    ms = math.ceil(len(text) * ms_per_character)
    return max(len(text) * _PER_CHARACTER, escaped_bytes(text) * _PER_BYTE, ms * _PER_MS)


def _sections(
    chapter: Chapter, splitter: Splitter, language: str
) -> Iterator[tuple[list[_Piece], Break]]:
    """The pieces between two breaks that no chunk may cross, and the break behind them."""
    ms_per_character = _ms_per_character(language)
    breaks = deque(chapter.breaks)
    section: list[_Piece] = []
    for start, stop in _paragraphs(chapter.text):
        section += _pieces(chapter.text, start, stop, splitter, ms_per_character)
        kinds = []
        while breaks and breaks[0].offset <= stop:
            kinds.append(breaks.popleft().kind)
        if kinds and section:
            yield section, max(kinds, key=list(Break).index)
            section = []
    if section:
        yield section, Break.CHAPTER


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


def _pieces(
    text: str, start: int, stop: int, splitter: Splitter, ms_per_character: float
) -> Iterator[_Piece]:
    """The sentences of the paragraph, the ones that are too long in parts."""
    for left, right in splitter.spans(text[start:stop]):
        piece = _Piece(
            start + left,
            start + right,
            _load(text[start + left : start + right], ms_per_character),
            _Grade.PARAGRAPH if start + right == stop else _Grade.SENTENCE,
        )
        if piece.load <= _LIMIT:
            yield piece
        else:
            yield from _parts(text, piece, ms_per_character)


def _parts(text: str, sentence: _Piece, ms_per_character: float) -> Iterator[_Piece]:
    """The words of a sentence, each with the grade of what stands behind it."""
    at = sentence.start
    while at < sentence.stop:
        gap = _GAP.search(text, at, sentence.stop)
        end = gap.start() if gap else sentence.stop
        grade = _grade(text, at, gap) if gap else sentence.grade
        load = _load(text[at:end], ms_per_character)
        if load > _LONG_WORD:
            yield from _letters(text, _Piece(at, end, load, grade), ms_per_character)
        else:
            yield _Piece(at, end, load, grade)
        at = gap.end() if gap else sentence.stop


def _grade(text: str, start: int, gap: re.Match[str]) -> _Grade:
    behind = text[max(start, gap.start() - 4) : gap.start()].rstrip(_CLOSERS)[-1:]
    if behind in _CLAUSE_ENDS or "\n" in gap.group():
        return _Grade.CLAUSE
    if behind in _COMMAS or text[gap.end() : gap.end() + 1] in _DASHES:
        return _Grade.COMMA
    return _Grade.WORD


def _letters(text: str, word: _Piece, ms_per_character: float) -> Iterator[_Piece]:
    """Parts of a word without end (or of a script that writes no spaces), cut where the
    characters themselves say so, never inside what is read as one character."""
    at = word.start
    for end in range(word.start + 1, word.stop):
        grade = _letter_grade(text, at, end)
        if grade is not None:
            yield _Piece(at, end, _load(text[at:end], ms_per_character), grade)
            at = end
    yield _Piece(at, word.stop, _load(text[at : word.stop], ms_per_character), word.grade)


def _letter_grade(text: str, at: int, end: int) -> _Grade | None:
    """Whether a cut is possible before `end`, and how good; `at` is where the last one was."""
    mark = text[end - 1]
    if mark in _CLAUSE_ENDS or mark in _COMMAS:
        grade = _Grade.CLAUSE if mark in _CLAUSE_ENDS else _Grade.COMMA
    elif end - at < _FEWEST or (end - at < _USUAL and _hash(text[end - 6 : end]) & 15):
        return None
    else:
        grade = _Grade.LETTER
    return None if end - at < _MOST and _joined(mark, text[end]) else grade


def _joined(left: str, right: str) -> bool:
    """Whether two characters belong to one grapheme, seen from their border."""
    return (
        unicodedata.category(right) in ("Mn", "Mc", "Me", "Cf")
        or left == "\u200d"
        or "\U0001f3fb" <= right <= "\U0001f3ff"  # skin tones
        or "\U0001f1e6" <= right <= "\U0001f1ff"  # the letters of flags
        or "\ud800" <= left <= "\udfff"
        or "\u1160" <= right <= "\u11ff"  # Hangul vowels and finals
    )


def _hash(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass"))


def _spans(pieces: list[_Piece], after: Break, text: str) -> Iterator[tuple[int, int, Break]]:
    """The chunks of one section: start, stop and what follows."""
    pieces = _voiced(pieces, text)
    places = list(accumulate(_steps(pieces, text)))
    keys = [_key(piece, text) for piece in pieces]
    first = 0
    for last in choose(places, keys, _LIMIT):
        paragraph = pieces[last].grade is _Grade.PARAGRAPH
        kind = Break.PARAGRAPH if paragraph else Break.SENTENCE
        end = last == len(pieces) - 1
        yield pieces[first].start, pieces[last].stop, after if end else kind
        first = last + 1


def _steps(pieces: list[_Piece], text: str) -> Iterator[int]:
    """The load of each piece with the white space before it."""
    before = pieces[0].start
    for piece in pieces:
        yield _gap_load(text, before, piece.start) + piece.load
        before = piece.stop


def _gap_load(text: str, start: int, stop: int) -> int:
    if text.isascii() or stop - start <= 2:
        return (stop - start) * _PER_CHARACTER
    return max(stop - start, len(text[start:stop].encode())) * _PER_CHARACTER


def _key(piece: _Piece, text: str) -> float:
    low, spread = _KEYS[piece.grade]
    tail = text[max(piece.start, piece.stop - _HASHED) : piece.stop]
    return low + spread * _hash(tail) / 2**32


def _voiced(pieces: list[_Piece], text: str) -> list[_Piece]:
    """The same text in pieces that each have something to speak: a stray dash or asterisks go
    with the piece before, or else the one behind, if the limits let them."""
    joined: list[_Piece] = []
    silent: _Piece | None = None
    for piece in pieces:
        if _VOICED.search(text, piece.start, piece.stop):
            if silent and not _join(silent, piece, text):
                joined.append(silent)
                silent = piece
            joined.append(silent or piece)
            silent = None
        elif silent:
            if not _join(silent, piece, text):
                joined.append(silent)
                silent = piece
        elif not (joined and _join(joined[-1], piece, text)):
            silent = piece
    return [*joined, silent] if silent else joined


def _join(piece: _Piece, behind: _Piece, text: str) -> bool:
    """Lengthens `piece` by what stands behind it, if both fit into a chunk."""
    load = piece.load + _gap_load(text, piece.stop, behind.start) + behind.load
    if load > _LIMIT:
        return False
    piece.stop, piece.load, piece.grade = behind.stop, load, min(piece.grade, behind.grade)
    return True
