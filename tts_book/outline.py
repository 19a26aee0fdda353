"""Which paragraphs of a book are headings, which are contents lists and notes, and how deep
each heading stands. What one line cannot tell, its neighbours can."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median

from tts_book import headings
from tts_book.headings import Heading, Sort
from tts_book.text import Kind, Paragraph


@dataclass(frozen=True, slots=True)
class Item:
    """A paragraph and, if it is a heading, what it says and how deep it stands (0: the top).

    `drop` is the reason for leaving it out. `is_title` marks the second line of a heading.
    """

    paragraph: Paragraph
    heading: Heading | None = None
    depth: int = 0
    drop: str = ""
    is_title: bool = False

    @property
    def text(self) -> str:
        return self.paragraph.text


PARTS = (Sort.VOLUME, Sort.BOOK, Sort.PART)
_NUMERALS = (Sort.ROMAN, Sort.ARABIC)
_WORDED = (*PARTS, Sort.CHAPTER, Sort.FRONT, Sort.BACK, Sort.PLAIN)
_LEAVES = (Sort.CHAPTER, Sort.FRONT, Sort.BACK)
_CHAPTER_DEPTH, _NUMERAL_DEPTH, _INNER_DEPTH, _MARKED_DEPTH = 10, 11, 12, 20
_ENTRY = 250  # the longest entry of a contents list, in characters
_ENTRIES = 5_000  # and as many of them at most
_LEADERS = re.compile(r"[.…·_ ]{2,}\d{1,4}\Z")
_PAGE_END = re.compile(r" \d{1,4}\Z")
_NOTE_LABEL = re.compile(r"\W?\d{1,4}(?:\W|\Z)|\*")
_MANY = 20  # bare numbers that follow each other closely: notes or verses, not chapters
_CLOSE = 150  # characters
_TITLED = 100  # characters between numbers with titles; in a list they stand closer
_MISSING = 3  # headings of a sequence that may be damaged in the source, one after the other


def outline(paragraphs: Iterable[Paragraph], *, everything: bool = False) -> list[Item]:
    """The paragraphs with their headings found. `everything` keeps contents lists and notes."""
    items = [_item(paragraph) for paragraph in paragraphs]
    if not everything:
        items = _without_contents(items)
        items = _without_notes(items)
    items = _numerals(items)
    items = [_settled(item) for item in items]
    return _titles(_depths(items))


def _item(paragraph: Paragraph) -> Item:
    if paragraph.block.kind is Kind.HEADING and paragraph.block.level:
        return Item(paragraph, headings.plain(paragraph.text, paragraph.block.level))
    if paragraph.block.kind is Kind.VERSE:
        return Item(paragraph)
    return Item(paragraph, headings.parse(paragraph.text))


def _settled(item: Item) -> Item:
    """What still calls itself contents or notes is a heading like others."""
    found = item.heading
    if found is None or found.sort not in (Sort.CONTENTS, Sort.NOTES):
        return item
    return replace(item, heading=replace(found, sort=Sort.BACK) if found.is_alone else None)


# Contents lists


def _without_contents(items: list[Item]) -> list[Item]:
    drops: set[int] = set()
    entries: set[str] = set()
    for at, item in enumerate(items):
        if item.heading and item.heading.sort is Sort.CONTENTS and at not in drops:
            span = _listed(items, at)
            if span:
                drops.update(span)
                entries.update(_key(items[i].text) for i in span[1:])
    drops.update(_unnamed_lists(items, drops))
    found = [
        replace(item, drop="contents list") if at in drops and item.text else item
        for at, item in enumerate(items)
    ]
    return _named_by(found, entries)


def _listed(items: Sequence[Item], title: int) -> range:
    """The contents list under the heading at `title`, or an empty range if there is none."""
    first = ""
    stop = title + 1
    for at in range(title + 1, min(len(items), title + _ENTRIES)):
        text, gap = items[at].text, items[at].paragraph.block.gap
        if not text:
            continue
        key = _key(text)
        is_next = first and (key == first or gap >= 3)
        if is_next or (len(text) > _ENTRY and not _summarises(text)):
            break
        first = first or key
        stop = at + 1
    else:
        return range(title, stop)
    while stop - title > 2 and items[stop - 1].text and _starts_body(items, stop, first):
        stop -= 1
    return range(title, stop) if stop - title > 2 else range(0)


def _summarises(text: str) -> bool:
    """A long entry that tells what happens: `Chapter I. The guests arrive. A quarrel. …`"""
    found = headings.parse(text[:_ENTRY].split(". ", 1)[0])
    return found is not None and found.sort in _WORDED and len(text) < 4 * _ENTRY


def _starts_body(items: Sequence[Item], stop: int, first: str) -> bool:
    """Whether the last entry is rather the heading of the prose that follows the list."""
    if stop < len(items) and _key(items[stop].text) == first:
        return False
    last = items[stop - 1]
    if stop < len(items) and items[stop].paragraph.block.gap >= 3:
        return False
    return last.heading is not None or last.text[-1] in ".!?…»”"


def _key(text: str) -> str:
    """What an entry and its chapter have in common: the words without the page."""
    bare = _LEADERS.sub("", text)
    shorter = _PAGE_END.sub("", bare)
    if shorter != bare and headings.parse(bare) and not headings.parse(shorter):
        shorter = bare
    return shorter.strip(" .…·_").casefold()


def _unnamed_lists(items: Sequence[Item], known: set[int]) -> set[int]:
    """Headings in a row, nothing between them, that all come again with something to say."""
    drops: set[int] = set()
    row: list[int] = []
    count: dict[str, int] = {}
    for item in items:
        if item.heading:
            count[item.heading.label] = count.get(item.heading.label, 0) + 1
    for at, item in enumerate(items):
        if at not in known:
            if not item.text or (item.heading and item.heading.sort in _WORDED):
                row.append(at)
                continue
            if row and item.text[-1].isalnum() and len(item.text) < 100:
                row.append(at)
                continue
        drops.update(_list_in(items, row, count))
        row = []
    drops.update(_list_in(items, row, count))
    return drops


def _list_in(items: Sequence[Item], row: list[int], count: dict[str, int]) -> Iterator[int]:
    """The members of `row` that are a contents list: at least three leaves, before the first
    heading that stands there for the last time."""
    leaves = 0
    last_again = -1
    for position, at in enumerate(row):
        found = items[at].heading
        if found and count[found.label] > 1 and found.sort in _LEAVES:
            leaves += 1
            last_again = position
    if leaves < 3:
        return
    labels = [found.label for at in row if (found := items[at].heading)]
    if len(set(labels)) < len(labels) and labels[0] in labels[1:]:
        last_again = min(last_again, _again(items, row, labels[0]) - 1)
    elif not _comes_again(labels, count):
        return
    yield from row[: last_again + 1]


def _again(items: Sequence[Item], row: list[int], label: str) -> int:
    places = [i for i, at in enumerate(row) if (h := items[at].heading) and h.label == label]
    return places[1]


def _comes_again(labels: Sequence[str], count: dict[str, int]) -> bool:
    """Whether most of these headings stand elsewhere in the book too."""
    here = Counter(labels)
    return sum(count[label] > here[label] for label in labels) >= 0.6 * len(labels)


def _named_by(items: list[Item], entries: set[str]) -> list[Item]:
    """Chapters without a word or a number, known only from the contents list."""
    if len(entries) < 3:
        return items
    places: dict[str, list[int]] = {}
    for at, item in enumerate(items):
        if item.text and not item.drop and len(item.text) < _ENTRY and _key(item.text) in entries:
            places.setdefault(_key(item.text), []).append(at)
    worded = any(i.heading and i.heading.sort is Sort.CHAPTER and not i.drop for i in items)
    named = {at[0] for at in places.values() if len(at) == 1 and not items[at[0]].heading}
    if worded or len(named) < 3:
        return items
    return [
        replace(item, heading=_chapter(item.text)) if at in named else item
        for at, item in enumerate(items)
    ]


def _chapter(text: str) -> Heading:
    title = headings.tidy(text)
    return Heading(Sort.CHAPTER, title.casefold(), title)


# Notes


def _without_notes(items: list[Item]) -> list[Item]:
    """Notes under a heading of their own are left out: their marks are not read either."""
    dropping = False
    made: list[Item] = []
    for at, item in enumerate(items):
        found = item.heading
        if found and not item.drop and found.sort is Sort.NOTES:
            dropping = _are_notes(items, at + 1)
        elif found and (found.sort in (*_WORDED, Sort.CONTENTS) or item.drop):
            dropping = dropping and bool(item.drop)
        made.append(replace(item, drop="notes") if dropping and item.text else item)
    return made


def _are_notes(items: Sequence[Item], start: int) -> bool:
    labelled = total = 0
    for item in items[start : start + 400]:
        if item.heading and item.heading.sort in (*_WORDED, Sort.CONTENTS, Sort.NOTES):
            break
        if item.text:
            total += 1
            labelled += _NOTE_LABEL.match(item.text[:6]) is not None
            labelled += item.text.startswith("(1)") and "(2)" in item.text
    return labelled >= 2 and labelled >= 0.2 * total


# Bare numerals


def _numerals(items: list[Item]) -> list[Item]:
    """Keeps the bare numerals that count up from one inside their part, drops the others."""
    kept: dict[int, Sort] = {}
    segment: list[int] = []
    for at, item in enumerate([*items, None]):
        found = item.heading if item is not None else None
        is_bound = item is None or (found and found.sort in _WORDED and not item.drop)
        if is_bound:
            kept.update(_counted(items, segment))
            segment = []
        elif found and item is not None and found.sort in _NUMERALS and not item.drop:
            segment.append(at)
    return [_as_counted(item, kept.get(at)) for at, item in enumerate(items)]


def _as_counted(item: Item, style: Sort | None) -> Item:
    if item.heading is None or item.heading.sort not in _NUMERALS:
        return item
    return replace(item, heading=replace(item.heading, sort=style) if style else None)


def _counted(items: Sequence[Item], segment: list[int]) -> dict[int, Sort]:
    kept: dict[int, Sort] = {}
    if len(segment) < 2:
        return kept
    for style in _NUMERALS:
        for alone in (True, False):
            rows = list(_sequences(items, segment, style, alone))
            kept.update((at, style) for row in rows for at in row)
            if rows:
                break
    return kept


def _sequences(
    items: Sequence[Item], segment: list[int], style: Sort, alone: bool
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
        if steps and (steps[0] == 1 or min(steps) == 1 or style is Sort.ROMAN):
            last += min(steps)
            row.append(at)
        elif 1 in numbers:
            if _is_sequence(items, row):
                yield row
            row, last = [at], 1
    if _is_sequence(items, row):
        yield row


def _damaged_start(items: Sequence[Item], segment: list[int], style: Sort) -> int:
    """1 where a part begins with II and III: its I was lost in the source. Else 0."""
    found = [items[at].heading for at in segment[:2]]
    values = [heading.numbers for heading in found if heading and heading.sort is style]
    return int(style is Sort.ROMAN and values == [(2,), (3,)])


def _numbers(found: Heading, style: Sort) -> tuple[int, ...]:
    """What a numeral may mean among Roman or Arabic ones: a scanned `111` may be III."""
    if found.sort is style:
        return found.numbers if style is Sort.ROMAN else found.numbers[:1]
    return found.numbers[1:] if style is Sort.ROMAN and found.numbers[0] > 1 else ()


def _is_sequence(items: Sequence[Item], row: list[int]) -> bool:
    if len(row) < 2:
        return False
    spaces = [
        items[b].paragraph.block.start - items[a].paragraph.block.stop for a, b in pairwise(row)
    ]
    first = items[row[0]].heading
    if first is None:
        return False
    if len(row) >= _MANY and first.sort is Sort.ARABIC:
        return median(spaces) >= _CLOSE
    return first.is_alone or median(spaces) >= _TITLED


# Depths


def _depths(items: list[Item]) -> list[Item]:
    order = _nesting(items)
    marks = sorted({h.level for item in items if (h := item.heading) and h.level})
    outer = _outer_style(items)
    made: list[Item] = []
    ahead = _sorts_ahead(items)
    for at, item in enumerate(items):
        found = item.heading
        if found and found.level:
            made.append(replace(item, depth=_MARKED_DEPTH + marks.index(found.level)))
        elif found and found.sort is Sort.BACK and order:
            made.append(replace(item, depth=_depth_of_end(items, at, order, ahead[at])))
        elif found:
            made.append(replace(item, depth=_depth(found, order, outer)))
        else:
            made.append(item)
    return made


def _nesting(items: Iterable[Item]) -> list[Sort]:
    """Volumes, books and parts in the order in which they first appear: the outer one first."""
    order: list[Sort] = []
    for item in items:
        if item.heading and item.heading.sort in PARTS and item.heading.sort not in order:
            order.append(item.heading.sort)
    return order


def _outer_style(items: Iterable[Item]) -> Sort | None:
    """Of Roman and Arabic numerals the one that comes first is the outer one."""
    sorts = (h.sort for item in items if (h := item.heading) and h.sort in _NUMERALS)
    return next(sorts, None)


def _sorts_ahead(items: Sequence[Item]) -> list[Sort | None]:
    """For each item the next part or chapter after it."""
    ahead: list[Sort | None] = []
    following: Sort | None = None
    for item in reversed(items):
        ahead.append(following)
        if item.heading and item.heading.sort in (*PARTS, Sort.CHAPTER):
            following = item.heading.sort
    return ahead[::-1]


def _depth(found: Heading, order: list[Sort], outer: Sort | None) -> int:
    if found.sort in PARTS:
        return 2 * order.index(found.sort) + 2
    if found.sort in _NUMERALS:
        return _NUMERAL_DEPTH if found.sort is outer else _INNER_DEPTH
    return _CHAPTER_DEPTH


def _depth_of_end(items: Sequence[Item], at: int, order: list[Sort], ahead: Sort | None) -> int:
    """An epilogue stands beside the innermost parts, and above those that it has itself."""
    before = next((i for i in reversed(items[max(0, at - 3) : at]) if i.text), None)
    after = next((i for i in items[at + 1 : at + 4] if i.text), None)
    if before is not None and before.heading and before.heading.sort in PARTS:
        return _CHAPTER_DEPTH
    if after is not None and after.heading and after.heading.sort in PARTS:
        return 2 * len(order) - 1
    if ahead is Sort.CHAPTER:
        return _CHAPTER_DEPTH
    ends_volume = ahead is None or (ahead is order[0] and len(order) > 1)
    return 2 * len(order) - ends_volume


# Titles below a heading


def _titles(items: list[Item]) -> list[Item]:
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


def _is_title(item: Item, after: Item) -> bool:
    text = item.text
    if (
        len(text) > 80
        or headings.parse(text)
        or item.paragraph.block.kind is Kind.VERSE
        or after.heading
    ):
        return False
    letter = next((c for c in text if c.isalpha()), "")
    loud = text.upper() == text and text[-1] == "."
    if text[0] in "-–—«„“\"'(" or not letter.isupper() or len(text) >= len(after.text):
        return False
    return loud or text[-1] not in '.,;:…!?»”"'
