"""Bare numbers on lines of their own: which of them count chapters, and which are only numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from tts_book.text.front_back_matter import PARTS, WORDED, OutlineItem
from tts_book.text.headings import NUMERALS, Heading, HeadingKind

_MANY = 20  # bare numbers that follow each other closely: notes or verses, not chapters
_CLOSE = 150  # characters
_TITLED = 100  # characters between numbers with titles; in a list they stand closer
_MISSING = 3  # headings of a sequence that may be damaged in the source, one after the other
_TAIL = 0.1  # of a book: numbers that begin so near to its end and stand so close are notes
_NOTE = 300  # characters of a usual note

Counts = dict[tuple[HeadingKind, bool], int]


def keep_counted_numerals(items: list[OutlineItem]) -> list[OutlineItem]:
    """Keeps the bare numerals that count up from one inside their part, or on from the part
    before; the others are no headings. `I` and below it `Introduction` is one heading."""
    titles = _titles_of_numerals(items)
    kept: dict[int, HeadingKind] = {}
    segment: list[int] = []
    reached: Counts = {}
    for at, item in enumerate([*items, None]):
        found = item.heading if item is not None and not item.drop else None
        if item is None or (found and found.sort in WORDED and at not in titles):
            counted, reached = _counted(items, segment, reached)
            kept.update(counted)
            segment = []
            if found and found.sort not in (*PARTS, HeadingKind.FRONT):
                reached = {}
        elif found and found.sort in NUMERALS:
            segment.append(at)
    return [_settled(item, kept.get(at), titles.get(at) in kept) for at, item in enumerate(items)]


def _settled(item: OutlineItem, style: HeadingKind | None, is_title: bool) -> OutlineItem:
    if item.heading is None:
        return item
    if is_title:
        return replace(item, heading=None, is_title=True)
    if item.heading.sort not in NUMERALS:
        return item
    return replace(item, heading=replace(item.heading, sort=style) if style else None)


def _titles_of_numerals(items: Sequence[OutlineItem]) -> dict[int, int]:
    """Lines such as `Introduction` right below a bare numeral, each with that numeral."""
    spoken = [at for at, item in enumerate(items) if item.text and not item.drop]
    found: dict[int, int] = {}
    for before, at in pairwise(spoken):
        number, line = items[before].heading, items[at].heading
        if not number or not line or line.sort not in (HeadingKind.FRONT, HeadingKind.BACK):
            continue
        if number.sort in NUMERALS and number.is_alone and not line.level:
            found[at] = before
    return found


def _counted(
    items: Sequence[OutlineItem], segment: list[int], reached: Counts
) -> tuple[dict[int, HeadingKind], Counts]:
    """The numerals of one part that are kept, and how far each way of counting has come."""
    kept: dict[int, HeadingKind] = {}
    now: Counts = {}
    for style in NUMERALS:
        for alone in (True, False):
            before = reached.get((style, alone), 0)
            rows = list(_sequences(items, segment, style, alone, before))
            kept.update((at, style) for row, _ in rows for at in row)
            if rows:
                now[style, alone] = rows[-1][1]
                break
    return kept, now


def _sequences(
    items: Sequence[OutlineItem], segment: list[int], style: HeadingKind, alone: bool, before: int
) -> Iterator[tuple[list[int], int]]:
    """Runs of numerals 1, 2, 3… of one style, with or without titles, and their last number. The
    first run may go on from the number `before`."""
    row: list[int] = []
    last = _start(items, segment, style, alone, before)
    goes_on = last == before > 0
    for at in segment:
        found = items[at].heading
        if found is None or found.is_alone is not alone:
            continue
        numbers = _numbers(found, style)
        steps = [n - last for n in numbers if 0 < n - last <= (_MISSING if row else 1)]
        if steps and (steps[0] == 1 or min(steps) == 1 or style is HeadingKind.ROMAN):
            last += min(steps)
            row.append(at)
        elif 1 in numbers:
            if goes_on or _is_sequence(items, row):
                yield row, last
            row, last, goes_on = [at], 1, False
    if row and (goes_on or _is_sequence(items, row)):
        yield row, last


def _start(
    items: Sequence[OutlineItem], segment: list[int], style: HeadingKind, alone: bool, before: int
) -> int:
    """The number that the first numeral of a part follows: that of the part before if it goes on
    from there; 1 where a part begins with II and III, because its I was lost; else 0."""
    found = [h for at in segment if (h := items[at].heading) and h.is_alone is alone][:2]
    if before and found and before + 1 in _numbers(found[0], style):
        return before
    values = [heading.numbers for heading in found if heading.sort is style]
    return int(style is HeadingKind.ROMAN and values == [(2,), (3,)])


def _numbers(found: Heading, style: HeadingKind) -> tuple[int, ...]:
    """What a numeral may mean among Roman or Arabic ones: a scanned `111` may be III."""
    if found.sort is style:
        return found.numbers if style is HeadingKind.ROMAN else found.numbers[:1]
    return found.numbers[1:] if style is HeadingKind.ROMAN and found.numbers[0] > 1 else ()


def _is_sequence(items: Sequence[OutlineItem], row: list[int]) -> bool:
    if len(row) < 2:
        return False
    blocks = [items[at].paragraph.block for at in row]
    spaces = [after.start - before.stop for before, after in pairwise(blocks)]
    first = items[row[0]].heading
    if first is None:
        return False
    if first.sort is HeadingKind.ARABIC:
        length = items[-1].paragraph.block.stop
        is_tail = length - blocks[0].start < _TAIL * length
        if is_tail and median([*spaces, length - blocks[-1].stop]) < _NOTE:
            return False
        if len(row) >= _MANY:
            return median(spaces) >= _CLOSE
    return first.is_alone or median(spaces) >= _TITLED
