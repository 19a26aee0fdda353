"""Pages set in two columns: where the gutter is, and the lines in the order of reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from tts_book.readers.pdf_lines import PdfLine

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
