"""Which paragraphs of a book are headings, which are contents lists and notes, and how deep
each heading stands. What one line cannot tell, its neighbours can."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from tts_book.text import headings
from tts_book.text.front_back_matter import (
    PARTS,
    WORDED,
    OutlineItem,
    drop_contents_lists,
    drop_notes,
    drop_sections,
)
from tts_book.text.headings import NUMERALS, Heading, HeadingKind
from tts_book.text.normalize import Kind, Paragraph

_CHAPTER_DEPTH, _NUMERAL_DEPTH, _INNER_DEPTH, _MARKED_DEPTH = 10, 11, 12, 20
_MATTER = (HeadingKind.CONTENTS, HeadingKind.NOTES, HeadingKind.INDEX, HeadingKind.IMPRINT)
_MARKS = 2  # headings that are marked: from then on numbers are not taken for any
_MANY = 20  # bare numbers that follow each other closely: notes or verses, not chapters
_CLOSE = 150  # characters
_TITLED = 100  # characters between numbers with titles; in a list they stand closer
_MISSING = 3  # headings of a sequence that may be damaged in the source, one after the other


def find_headings(
    paragraphs: Iterable[Paragraph],
    *,
    everything: bool = False,
    notes: bool = False,
    is_chapter: Callable[[str], bool] | None = None,
) -> list[OutlineItem]:
    """The paragraphs with their headings found. `everything` keeps contents lists, notes and the
    like, `notes` only these. Where `is_chapter` knows the chapters, other headings stand below."""
    items = _trusted([_item(paragraph) for paragraph in paragraphs])
    if not everything:
        items = drop_contents_lists(items)
        items = items if notes else drop_notes(items)
        items = drop_sections(items, notes=notes)
    if is_chapter is not None:
        return _told(items, is_chapter)
    items = _numerals(items)
    items = [_settled(item) for item in items]
    return _titles(_depths(items))


def _told(items: list[OutlineItem], is_chapter: Callable[[str], bool]) -> list[OutlineItem]:
    """The chapters that the user tells; other headings after the first of them are breaks."""
    made: list[OutlineItem] = []
    began = False
    for item in items:
        text = item.text
        if text and not item.drop and len(text) <= headings.LONGEST and is_chapter(text):
            began = True
            title = headings.tidy_title(text) or text
            made.append(
                replace(
                    item, heading=Heading(HeadingKind.CHAPTER, title.casefold(), title), depth=1
                )
            )
        elif item.heading and item.heading.sort in WORDED and began:
            made.append(replace(item, depth=2))
        else:
            made.append(replace(item, heading=None))
    return made


def _item(paragraph: Paragraph) -> OutlineItem:
    if paragraph.block.goes_on and paragraph.text:
        return OutlineItem(paragraph, is_title=True)
    if paragraph.block.kind is Kind.HEADING and paragraph.block.level:
        return OutlineItem(
            paragraph, headings.parse_marked_heading(paragraph.text, paragraph.block.level)
        )
    if paragraph.block.kind is Kind.VERSE:
        return OutlineItem(paragraph)
    return OutlineItem(paragraph, headings.parse_heading(paragraph.text))


def _trusted(items: list[OutlineItem]) -> list[OutlineItem]:
    """Where markup marks headings, bare numbers without marks are only that: a table's, say."""
    if sum(bool(item.heading and item.heading.level) for item in items) < _MARKS:
        return items
    return [
        replace(item, heading=None)
        if item.heading and item.heading.sort is HeadingKind.ARABIC and not item.heading.level
        else item
        for item in items
    ]


def _settled(item: OutlineItem) -> OutlineItem:
    """What still calls itself contents or notes is a heading like others."""
    found = item.heading
    if found is None or found.sort not in _MATTER:
        return item
    return replace(item, heading=replace(found, sort=HeadingKind.BACK) if found.is_alone else None)


# Bare numerals


def _numerals(items: list[OutlineItem]) -> list[OutlineItem]:
    """Keeps the bare numerals that count up from one inside their part, drops the others."""
    kept: dict[int, HeadingKind] = {}
    segment: list[int] = []
    for at, item in enumerate([*items, None]):
        found = item.heading if item is not None else None
        is_bound = item is None or (found and found.sort in WORDED and not item.drop)
        if is_bound:
            kept.update(_counted(items, segment))
            segment = []
        elif found and item is not None and found.sort in NUMERALS and not item.drop:
            segment.append(at)
    return [_as_counted(item, kept.get(at)) for at, item in enumerate(items)]


def _as_counted(item: OutlineItem, style: HeadingKind | None) -> OutlineItem:
    if item.heading is None or item.heading.sort not in NUMERALS:
        return item
    return replace(item, heading=replace(item.heading, sort=style) if style else None)


def _counted(items: Sequence[OutlineItem], segment: list[int]) -> dict[int, HeadingKind]:
    kept: dict[int, HeadingKind] = {}
    if len(segment) < 2:
        return kept
    for style in NUMERALS:
        for alone in (True, False):
            rows = list(_sequences(items, segment, style, alone))
            kept.update((at, style) for row in rows for at in row)
            if rows:
                break
    return kept


def _sequences(
    items: Sequence[OutlineItem], segment: list[int], style: HeadingKind, alone: bool
) -> Iterator[list[int]]:
    """Runs of numerals 1, 2, 3… of one style, with or without titles."""
    row: list[int] = []
    last = _damaged_start(items, segment, style)
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
            if _is_sequence(items, row):
                yield row
            row, last = [at], 1
    if _is_sequence(items, row):
        yield row


def _damaged_start(items: Sequence[OutlineItem], segment: list[int], style: HeadingKind) -> int:
    """1 where a part begins with II and III: its I was lost in the source. Else 0."""
    found = [items[at].heading for at in segment[:2]]
    values = [heading.numbers for heading in found if heading and heading.sort is style]
    return int(style is HeadingKind.ROMAN and values == [(2,), (3,)])


def _numbers(found: Heading, style: HeadingKind) -> tuple[int, ...]:
    """What a numeral may mean among Roman or Arabic ones: a scanned `111` may be III."""
    if found.sort is style:
        return found.numbers if style is HeadingKind.ROMAN else found.numbers[:1]
    return found.numbers[1:] if style is HeadingKind.ROMAN and found.numbers[0] > 1 else ()


def _is_sequence(items: Sequence[OutlineItem], row: list[int]) -> bool:
    if len(row) < 2:
        return False
    spaces = [
        items[b].paragraph.block.start - items[a].paragraph.block.stop for a, b in pairwise(row)
    ]
    first = items[row[0]].heading
    if first is None:
        return False
    if len(row) >= _MANY and first.sort is HeadingKind.ARABIC:
        return median(spaces) >= _CLOSE
    return first.is_alone or median(spaces) >= _TITLED


# Depths


def _depths(items: list[OutlineItem]) -> list[OutlineItem]:
    order = _nesting(items)
    marks = sorted({h.level for item in items if (h := item.heading) and h.level})
    outer = _outer_style(items)
    made: list[OutlineItem] = []
    ahead = _sorts_ahead(items)
    for at, item in enumerate(items):
        found = item.heading
        if found and found.level:
            made.append(replace(item, depth=_MARKED_DEPTH + marks.index(found.level)))
        elif found and found.sort is HeadingKind.BACK and order:
            made.append(replace(item, depth=_depth_of_end(items, at, order, ahead[at])))
        elif found:
            made.append(replace(item, depth=_depth(found, order, outer)))
        else:
            made.append(item)
    return made


def _nesting(items: Iterable[OutlineItem]) -> list[HeadingKind]:
    """Volumes, books and parts in the order in which they first appear: the outer one first."""
    order: list[HeadingKind] = []
    for item in items:
        if item.heading and item.heading.sort in PARTS and item.heading.sort not in order:
            order.append(item.heading.sort)
    return order


def _outer_style(items: Iterable[OutlineItem]) -> HeadingKind | None:
    """Of Roman and Arabic numerals the one that comes first is the outer one."""
    sorts = (h.sort for item in items if (h := item.heading) and h.sort in NUMERALS)
    return next(sorts, None)


def _sorts_ahead(items: Sequence[OutlineItem]) -> list[HeadingKind | None]:
    """For each item the next part or chapter after it."""
    ahead: list[HeadingKind | None] = []
    following: HeadingKind | None = None
    for item in reversed(items):
        ahead.append(following)
        if item.heading and item.heading.sort in (*PARTS, HeadingKind.CHAPTER):
            following = item.heading.sort
    return ahead[::-1]


def _depth(found: Heading, order: list[HeadingKind], outer: HeadingKind | None) -> int:
    if found.sort in PARTS:
        return 2 * order.index(found.sort) + 2
    if found.sort in NUMERALS:
        return _NUMERAL_DEPTH if found.sort is outer else _INNER_DEPTH
    return _CHAPTER_DEPTH


def _depth_of_end(
    items: Sequence[OutlineItem], at: int, order: list[HeadingKind], ahead: HeadingKind | None
) -> int:
    """An epilogue stands beside the innermost parts, and above those that it has itself."""
    before = next((i for i in reversed(items[max(0, at - 3) : at]) if i.text), None)
    after = next((i for i in items[at + 1 : at + 4] if i.text), None)
    if before is not None and before.heading and before.heading.sort in PARTS:
        return _CHAPTER_DEPTH
    if after is not None and after.heading and after.heading.sort in PARTS:
        return 2 * len(order) - 1
    if ahead is HeadingKind.CHAPTER:
        return _CHAPTER_DEPTH
    ends_volume = ahead is None or (ahead is order[0] and len(order) > 1)
    return 2 * len(order) - ends_volume


# Titles below a heading


def _titles(items: list[OutlineItem]) -> list[OutlineItem]:
    """A short line between a bare `Chapter 4` and its prose is the chapter's title."""
    made = list(items)
    spoken = [at for at, item in enumerate(items) if item.text and not item.drop]
    for here, below, after in zip(spoken, spoken[1:], spoken[2:], strict=False):
        found = made[here].heading
        if found is None or not found.is_alone or made[below].heading or found.level:
            continue
        if _is_title(made[below], made[after]):
            made[below] = replace(made[below], is_title=True)
    return made


def _is_title(item: OutlineItem, after: OutlineItem) -> bool:
    text = item.text
    if (
        len(text) > 80
        or headings.parse_heading(text)
        or item.paragraph.block.kind is Kind.VERSE
        or after.heading
    ):
        return False
    letter = next((c for c in text if c.isalpha()), "")
    loud = text.upper() == text and text[-1] == "."
    if text[0] in "-–—«„“\"'(" or not letter.isupper() or len(text) >= len(after.text):
        return False
    return loud or text[-1] not in '.,;:…!?»”"'
