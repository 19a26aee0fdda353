"""The lines of printed pages: which are running heads, page numbers, notes and headings, which
make a paragraph, in which order two columns are read, and whether a hyphen at the end of a line
parts a word or belongs to it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from statistics import median

from tts_book.readers.plain import is_scene_mark
from tts_book.text.headings import is_heading
from tts_book.text.numerals import roman_value

Page = Sequence["PdfLine"]


@dataclass(frozen=True, slots=True)
class SmallNumber:
    """Characters `start` to `stop` of a line are small digits: below the line an index, above it
    a power or the mark of a note."""

    start: int
    stop: int
    is_lowered: bool = False


@dataclass(frozen=True, slots=True)
class PdfLine:
    """A line of a page, in points. `marks` are its small numbers; `is_parted` if it
    ends in a hyphen that the page shows, which `text` does not hold. `gaps` are wide blanks: the
    index in `text` behind each, and where it begins and ends. `is_mono`: all letters have one
    width. `column` is 1 for the right one of two."""

    page: int
    text: str
    size: float
    left: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    marks: tuple[SmallNumber, ...] = ()
    is_parted: bool = False
    gaps: tuple[tuple[int, float, float], ...] = ()
    is_mono: bool = False
    column: int = 0


class Role(StrEnum):
    """What a line is to a listener."""

    BODY = "body"
    HEAD = "running head"
    NUMBER = "page number"
    NOTE = "notes"
    CODE = "code"


_EDGE = 2  # lines at either end of a page where running heads stand
_AGAIN = 3  # so many pages must show it
_SMALL = 0.93  # of the usual size: notes
_BIG = 1.15  # of the usual size: headings
_APART = 1.2  # of the usual step between lines
_INDENT = 0.5  # of the size
_LONGEST_HEADING = 200
_ENDS = frozenset(".!?…:»”\"'’)]*")
_NUMBER = re.compile(r"\d+|(?<![^\W\d_])[ivxlcIVXLC]+(?![^\W\d_])")
_DIALOGUE = re.compile("[-–—] ")
_WORD = re.compile(r"[^\W\d_]+(?:[-\u2010\u2011][^\W\d_]+)*")
_AFTER = frozenset(("то", "либо", "нибудь", "ка", "таки", "с", "де", "тка"))
_BEFORE = frozenset(("кое", "кой"))


def find_roles(pages: Sequence[Page]) -> list[list[Role]]:
    """The role of every line of every page."""
    found = [[Role.BODY] * len(page) for page in pages]
    usual = body_size(pages)
    is_typewritten = _is_typewritten(pages)
    for number, at, role in _running(pages, usual):
        found[number][at] = role
    for page, known in zip(pages, found, strict=True):
        for at in _notes(page, known, usual, is_typewritten=is_typewritten):
            known[at] = Role.NOTE
    if not is_typewritten:
        step = Measure.of(pages).step
        for page, known in zip(pages, found, strict=True):
            for at in _listings(page, known, step):
                known[at] = Role.CODE
    return found


def body_size(pages: Iterable[Page]) -> float:
    """The size in which most letters are set."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page:
            sizes[round(line.size * 2) / 2] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _running(pages: Sequence[Page], usual: float) -> Iterator[tuple[int, int, Role]]:
    """Lines at the ends of pages that come again as they are, or count along with the pages."""
    said: dict[str, list[tuple[int, int]]] = defaultdict(list)
    counted: dict[tuple[str, int], list[tuple[int, int]]] = defaultdict(list)
    for number, page in enumerate(pages):
        for at in _edges(page):
            if is_big(page[at], usual):
                continue
            text = page[at].text.strip()
            key = _NUMBER.sub("#", text).casefold()
            for found in _NUMBER.finditer(text):
                if value := _value(found[0]):
                    counted[key, value - number].append((number, at))
            if not is_scene_mark(text):
                said[text.casefold()].append((number, at))
    for (key, _), places in counted.items():
        if len({page for page, _ in places}) >= _AGAIN:
            role = Role.NUMBER if not any(map(str.isalpha, key)) else Role.HEAD
            yield from ((page, at, role) for page, at in places)
    for places in said.values():
        near = [p for p, q in pairwise(places) if 0 < q[0] - p[0] <= _EDGE]
        if len(near) >= _AGAIN - 1:
            yield from ((page, at, Role.HEAD) for page, at in places)


def _edges(page: Page) -> set[int]:
    order = sorted(range(len(page)), key=lambda at: -page[at].bottom)
    return {*order[:_EDGE], *order[-_EDGE:]}


def _value(number: str) -> int:
    return int(number) if number.isdecimal() and len(number) < 6 else roman_value(number)


def _notes(page: Page, known: Sequence[Role], usual: float, *, is_typewritten: bool) -> list[int]:
    """The small lines at the foot of a page, unless the whole page is set small."""
    order = [at for at in range(len(page)) if known[at] is Role.BODY]
    order.sort(key=lambda at: page[at].bottom)
    small = 0
    while small < len(order) and page[order[small]].size < _SMALL * usual:
        if page[order[small]].is_mono and not is_typewritten:
            break
        small += 1
    return order[:small] if small < len(order) else []


def _is_typewritten(pages: Iterable[Page]) -> bool:
    """Whether the book itself is set in letters of one width, so that these say nothing."""
    sizes = Counter[bool]()
    for page in pages:
        for line in page:
            sizes[line.is_mono] += len(line.text)
    return sizes[True] >= sizes[False]


def _listings(page: Page, known: Sequence[Role], step: float) -> Iterator[int]:
    """Lines of code: several in a row, or one that stands apart."""
    row: list[int] = []
    for at in range(len(page) + 1):
        if at < len(page) and page[at].is_mono and known[at] is Role.BODY:
            row.append(at)
            continue
        if len(row) > 1 or (row and _stands_apart(page, row[0], step)):
            yield from row
        row = []


def _stands_apart(page: Page, at: int, step: float) -> bool:
    gaps = [abs(a.bottom - b.bottom) for a, b in pairwise(page[max(0, at - 1) : at + 2])]
    return all(gap > _APART * step for gap in gaps)


def is_big(line: PdfLine, usual: float) -> bool:
    """Whether a line is set as headings are."""
    return line.size >= _BIG * usual and len(line.text) <= _LONGEST_HEADING


@dataclass(frozen=True, slots=True)
class Measure:
    """What is usual in a document: its size, and the distance of its lines."""

    size: float
    step: float

    @classmethod
    def of(cls, pages: Sequence[Page]) -> Measure:
        steps = [
            a.bottom - b.bottom for page in pages for a, b in pairwise(page) if a.bottom > b.bottom
        ]
        return cls(body_size(pages), median(steps) if steps else 0.0)


@dataclass(frozen=True, slots=True)
class Margins:
    """Where the lines of a page usually begin, and how far they reach."""

    left: float
    right: float

    @classmethod
    def of(cls, page: Page) -> Margins:
        lefts = Counter(round(line.left) for line in page)
        most = max(lefts.values(), default=0)
        left = min((place for place, n in lefts.items() if n >= most / 2), default=0)
        return cls(left, max((line.right for line in page), default=0.0))


def begins_paragraph(
    before: PdfLine, line: PdfLine, here: Margins, there: Margins, m: Measure
) -> bool:
    """Whether `line` begins a paragraph after `before`, whose page has the margins `there`."""
    if before.is_parted:
        return False
    if is_heading(line.text) or is_heading(before.text) or is_scene_mark(line.text):
        return True
    if is_scene_mark(before.text) or abs(line.size - before.size) > 0.1 * m.size:
        return True
    ended = before.text.rstrip()[-1:] in _ENDS
    indent, was = line.left - here.left, before.left - there.left
    if indent > _INDENT * m.size and indent > was + 1 and ended:
        return True
    if line.page == before.page and before.bottom - line.bottom > 1.45 * m.step:
        return True
    is_short = before.right < there.right - 2 * m.size
    return ended and (is_short or _DIALOGUE.match(line.text) is not None)


def count_words(pages: Iterable[Page]) -> Counter[str]:
    """How often each word stands whole inside a line."""
    return Counter(
        found[0].casefold().replace("\u2010", "-").replace("\u2011", "-")
        for page in pages
        for line in page
        for found in _WORD.finditer(line.text)
    )


def keeps_hyphen(before: str, after: str, known: Counter[str]) -> bool:
    """Whether the words at the end of one line and the start of the next keep their hyphen."""
    left = re.search(r"(?<![^\W\d_])[^\W\d_]+\Z", before)
    right = re.match(r"[^\W\d_]*", after)
    a, b = (left[0] if left else "").casefold(), (right[0] if right else "").casefold()
    if not a or not b or after[:1].isupper():
        return True
    whole, parted = known[a + b], known[f"{a}-{b}"]
    if whole != parted:
        return parted > whole
    return b in _AFTER or a in _BEFORE


# Pages set in two columns: where the gutter is, and the lines in the order of reading.


_FEWEST = 5  # lines of a column
_MOST_ACROSS = 0.4  # of the lines may go across the gutter: titles, wide figures
_NARROWEST = 0.25  # of the width of the text: a column, not the numbers of a table
_OVERLAP = 0.5  # of the height of the lower column


def order_lines(page: Sequence[PdfLine]) -> list[PdfLine]:
    """The lines of a page in the order of reading: where they are set in two columns, those of the
    left one first, between lines that go across. Other pages stay as they are."""
    pieces = [piece for line in page for piece in split_line(line)]
    gutter = _find_gutter(pieces)
    if gutter is None:
        return list(page)
    rows = [piece for line in page for piece in _split_at(line, gutter)]
    made: list[PdfLine] = []
    columns: tuple[list[PdfLine], list[PdfLine]] = ([], [])
    for line in sorted(rows, key=lambda line: -line.bottom):
        side = _side(line, gutter)
        if side is None:
            made += [*columns[0], *columns[1], line]
            columns = ([], [])
        else:
            columns[side].append(replace(line, column=side))
    return [*made, *columns[0], *columns[1]]


def split_line(line: PdfLine) -> Iterator[PdfLine]:
    """The pieces of a line between its wide gaps."""
    at = 0
    left = line.left
    for index, right, after in line.gaps:
        yield _cut(line, at, index, left, right)
        at, left = index, after
    yield _cut(line, at, len(line.text), left, line.right)


def _split_at(line: PdfLine, gutter: float) -> Iterator[PdfLine]:
    """A line that two columns share becomes two."""
    for index, right, after in line.gaps:
        if right < gutter <= after + 2:
            yield _cut(line, 0, index, line.left, right)
            yield _cut(line, index, len(line.text), after, line.right)
            return
    yield line


def _cut(line: PdfLine, start: int, stop: int, left: float, right: float) -> PdfLine:
    text = line.text[start:stop].rstrip()
    is_last = stop == len(line.text)
    is_parted = line.is_parted if is_last else text[-2:-1].isalpha() and text[-1:] in "-\u2010"
    text = text[:-1] if is_parted and not is_last else text
    marks = tuple(
        replace(mark, start=mark.start - start, stop=mark.stop - start)
        for mark in line.marks
        if start <= mark.start and mark.stop <= stop
    )
    return replace(
        line, text=text, left=left, right=right, marks=marks, is_parted=is_parted, gaps=()
    )


def _find_gutter(pieces: Sequence[PdfLine]) -> float | None:
    """Where the right column begins; None if there is one column only."""
    if len(pieces) < 2 * _FEWEST:
        return None
    first = min(piece.left for piece in pieces)
    width = max(piece.right for piece in pieces) - first
    starts = Counter(round(p.left) for p in pieces if p.left > first + _NARROWEST * width)
    for gutter, count in starts.most_common(3):
        if count >= _FEWEST and _parts_columns(pieces, gutter, width):
            return float(gutter)
    return None


def _parts_columns(pieces: Sequence[PdfLine], gutter: float, width: float) -> bool:
    sides = [_side(piece, gutter) for piece in pieces]
    columns = [[p for p, side in zip(pieces, sides, strict=True) if side == s] for s in (0, 1)]
    if min(map(len, columns)) < _FEWEST or sides.count(None) > _MOST_ACROSS * len(sides):
        return False
    if any(median(p.right - p.left for p in column) < _NARROWEST * width for column in columns):
        return False
    ranges = [(min(p.bottom for p in c), max(p.bottom for p in c)) for c in columns]
    shared = min(ranges[0][1], ranges[1][1]) - max(ranges[0][0], ranges[1][0])
    lowest = min(top - bottom for bottom, top in ranges)
    return shared > _OVERLAP * lowest and all(_is_running(column) for column in columns)


def _is_running(column: Iterable[PdfLine]) -> bool:
    """Whether a column is a text: its lines follow each other closely."""
    bottoms = sorted((line.bottom for line in column), reverse=True)
    steps = [a - b for a, b in pairwise(bottoms) if a > b]
    return bool(steps) and max(steps) < 20 * median(steps)


def _side(line: PdfLine, gutter: float) -> int | None:
    """0 for the left column, 1 for the right one, None across both."""
    if line.left >= gutter - 2:
        return 1
    return 0 if line.right <= gutter - 0.3 * line.size else None
