"""Headings that neither a word nor a number marks, only where they stand: the titles of stories
between blank lines in a text that has none elsewhere, and what follows the end of a book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from statistics import median

from tts_book.text.front_back_matter import WORDED, OutlineItem
from tts_book.text.headings import NUMERALS, Heading, HeadingKind, parse_heading, tidy_title
from tts_book.text.normalize import Block, Kind, Paragraph

_LONGEST_TITLE = 80  # characters
_MOST_SPACED = 0.3  # of the paragraphs follow a blank line: more, and blank lines say nothing
_FEWEST_TITLES = 3
_LEAST_BEGUN = 0.7  # of the counts from one begin right below a title
_NEAR = 3  # paragraphs: a title, and a motto below it
_LEAST_STORY = 2_000  # characters between two titles
_LEAST_UNNUMBERED_STORY = 5_000
_LONG_STORY = 60_000  # beyond that its numbers are chapters rather than breaks
_LEAST_AFTERWORD = 500
_ENDS = frozenset(
    ("конец", "the end", "end", "finis", "fin", "ende", "fine", "koniec", "кінець", "канец")
)


def find_story_titles(items: list[OutlineItem]) -> list[OutlineItem]:
    """The items with the titles of a collection's stories as headings."""
    spoken = [at for at, item in enumerate(items) if item.text and not item.drop]
    if _says_its_chapters(items) or not _stands_close(items, spoken):
        return items
    titles = [at for at, below in pairwise(spoken) if _is_title_line(items[at], items[below])]
    begun = _begun_below(items, spoken, set(titles))
    least = _LEAST_STORY if begun >= _LEAST_BEGUN else _LEAST_UNNUMBERED_STORY
    numbered = any(item.heading and item.heading.sort in NUMERALS for item in items)
    if numbered and begun < _LEAST_BEGUN:
        return items
    titles = _far_apart(items, titles, least)
    if len(titles) < _FEWEST_TITLES:
        return items
    sizes = [_size(items[a:b]) for a, b in pairwise([*titles, len(items)])]
    kind = HeadingKind.PART if median(sizes) > _LONG_STORY else HeadingKind.CHAPTER
    made = list(items)
    for at in titles:
        title = tidy_title(items[at].text)
        made[at] = replace(items[at], heading=Heading(kind, title.casefold(), title))
    return made


def _says_its_chapters(items: Sequence[OutlineItem]) -> bool:
    """Whether markup or words name chapters: then no other line is one."""
    return any((h := item.heading) and (h.level or h.sort is HeadingKind.CHAPTER) for item in items)


def _stands_close(items: Sequence[OutlineItem], spoken: Sequence[int]) -> bool:
    spaced = sum(items[at].paragraph.block.gap > 0 for at in spoken)
    return spaced <= _MOST_SPACED * len(spoken)


def _is_title_line(item: OutlineItem, below: OutlineItem) -> bool:
    """Whether a short line between blank lines reads like a title."""
    text, block = item.text, item.paragraph.block
    if item.heading or block.kind is not Kind.PROSE or not block.gap or len(text) > _LONGEST_TITLE:
        return False
    if not below.paragraph.block.gap and below.heading is None:
        return False
    if parse_heading(text) is not None:
        return False
    return text[0].isupper() and text[-1] not in ".,;:"


def _begun_below(items: Sequence[OutlineItem], spoken: Sequence[int], titles: set[int]) -> float:
    """Of the counts that begin at one, the share that begins below a title, or its motto."""
    begins = [
        not titles.isdisjoint(spoken[max(0, place - _NEAR) : place])
        for place, at in enumerate(spoken)
        if (h := items[at].heading) and h.sort in NUMERALS and 1 in h.numbers
    ]
    return sum(begins) / len(begins) if len(begins) > 1 else 0.0


def _far_apart(items: Sequence[OutlineItem], titles: list[int], least: int) -> list[int]:
    """The titles that have a story below them, up to the next title or part."""
    bounds = sorted(
        {*titles, len(items)}
        | {at for at, i in enumerate(items) if i.heading and i.heading.sort in WORDED}
    )
    ends = dict(pairwise(bounds))
    return [at for at in titles if _size(items[at : ends[at]]) >= least]


def _size(items: Sequence[OutlineItem]) -> int:
    return sum(len(item.text) for item in items if not item.drop)


def find_afterword(items: list[OutlineItem], title: str) -> list[OutlineItem]:
    """The items with a heading where something stands behind `THE END`: its own title, else
    `title`."""
    spoken = [at for at, item in enumerate(items) if item.text and not item.drop]
    ends = [
        place
        for place, at in enumerate(spoken)
        if items[at].heading is None and items[at].text.strip(" .!*").casefold() in _ENDS
    ]
    if not ends or ends[-1] + 2 >= len(spoken):
        return items
    first, second = spoken[ends[-1] + 1], spoken[ends[-1] + 2]
    rest = items[first:]
    before = [h for item in items[:first] if (h := item.heading) and not item.drop]
    if not before or any(item.heading and not item.drop for item in rest):
        return items
    if not _LEAST_AFTERWORD <= _size(rest) < _size(items[:first]):
        return items
    level = max((heading.level for heading in before), default=0)
    line = items[first].text
    has_title = len(line) <= _LONGEST_TITLE < len(items[second].text) and line[-1] not in ".,;:"
    name = tidy_title(line) if has_title else title
    heading = Heading(HeadingKind.BACK, name.casefold(), name, level=level)
    if has_title:
        return [*items[:first], replace(items[first], heading=heading), *items[first + 1 :]]
    start = items[first].paragraph.block.start
    empty = OutlineItem(Paragraph("", (), (), Block(start, start)), heading)
    return [*items[:first], empty, *items[first:]]
