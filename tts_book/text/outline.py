"""Which paragraphs of a book are headings, which are contents lists and notes, and how deep
each heading stands. What one line cannot tell, its neighbours can."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from tts_book.text import headings
from tts_book.text.dialogue.roles import drop_voice_marks
from tts_book.text.front_back_matter import (
    PARTS,
    WORDED,
    BookLines,
    OutlineItem,
    drop_contents_lists,
    drop_notes,
    drop_sections,
)
from tts_book.text.headings import EPISODES, NUMERALS, Heading, HeadingKind
from tts_book.text.normalize import Kind, Paragraph
from tts_book.text.numerals import is_number
from tts_book.text.unmarked_headings import (
    drop_long_ends,
    find_afterword,
    find_dated_entries,
    find_story_titles,
    keep_counted_numerals,
)

_MATTER = (HeadingKind.CONTENTS, HeadingKind.NOTES, HeadingKind.INDEX, HeadingKind.IMPRINT)
_BARE = (HeadingKind.ARABIC, HeadingKind.WORD)


def find_headings(
    paragraphs: Iterable[Paragraph],
    *,
    everything: bool = False,
    notes: bool = False,
    is_chapter: Callable[[str], bool] | None = None,
    afterword: str = "Afterword",
) -> list[OutlineItem]:
    """The paragraphs with their headings found. `everything` keeps contents lists, notes and the
    like, `notes` only these. Where `is_chapter` knows the chapters, other headings stand below.
    `afterword` names what follows `THE END` without a title of its own."""
    items = _without_episodes(_trusted([_item(paragraph) for paragraph in paragraphs]))
    if not everything:
        lines = BookLines(items)
        items = drop_contents_lists(items, lines)
        items = items if notes else drop_notes(items)
        items = drop_sections(items, lines.is_list, notes=notes)
    if is_chapter is not None:
        return _told(items, is_chapter)
    items = [_settled(item) for item in keep_counted_numerals(items)]
    items = find_dated_entries(find_story_titles(drop_long_ends(items)))
    items = find_afterword(items, afterword)
    return _titles(assign_depths(items))


def _told(items: list[OutlineItem], is_chapter: Callable[[str], bool]) -> list[OutlineItem]:
    """The chapters that the user gives; other headings after the first of them are breaks."""
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
            paragraph,
            headings.parse_marked_heading(drop_voice_marks(paragraph.text), paragraph.block.level),
        )
    if paragraph.block.kind is Kind.VERSE:
        return OutlineItem(paragraph)
    return OutlineItem(paragraph, headings.parse_heading(drop_voice_marks(paragraph.text)))


def _trusted(items: list[OutlineItem]) -> list[OutlineItem]:
    """Where markup marks headings, bare numbers without marks are only that: a table's, say."""
    if sum(bool(item.heading and item.heading.level) for item in items) < MARKS:
        return items
    return [
        replace(item, heading=None)
        if item.heading and item.heading.sort in _BARE and not item.heading.level
        else item
        for item in items
    ]


def _without_episodes(items: list[OutlineItem]) -> list[OutlineItem]:
    """In a book of chapters, `Night 2` is the title of one."""
    chapters = [at for at, item in enumerate(items) if _is_chapter(item)]
    episodes = {at for at in chapters if _is_episode(items[at].text)}
    if not episodes or len(episodes) == len(chapters):
        return items
    return [replace(i, heading=None) if at in episodes else i for at, i in enumerate(items)]


def _is_chapter(item: OutlineItem) -> bool:
    found = item.heading
    return found is not None and found.sort is HeadingKind.CHAPTER and not found.level


def _is_episode(text: str) -> bool:
    """Whether the word beside the number is one such as `Night`."""
    words = (word.strip(".:,") for word in text.lower().split(None, 4)[:4])
    return next((word for word in words if not is_number(word)), "") in EPISODES


def _settled(item: OutlineItem) -> OutlineItem:
    """What still calls itself notes is a heading like others; a line that says `Contents` above
    no list is none."""
    found = item.heading
    if found is None or found.sort not in _MATTER:
        return item
    if found.sort is HeadingKind.CONTENTS and not found.level:
        return replace(item, heading=None)
    return replace(item, heading=replace(found, sort=HeadingKind.BACK) if found.is_alone else None)


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
        or (headings.parse_heading(text) and not _is_episode(text))
        or item.paragraph.block.kind is Kind.VERSE
        or after.heading
    ):
        return False
    letter = next((c for c in text if c.isalpha()), "")
    loud = text.upper() == text and text[-1] == "."
    if text[0] in "-–—«„“\"'(" or not letter.isupper() or len(text) >= len(after.text):
        return False
    return loud or text[-1] not in '.,;:…!?»”"'


# How deep each heading of a book stands: 0 is the top, a greater depth lies inside a lesser one.
#
# What markup marks goes before what a line only looks like: among marked headings, a line without a
# mark may divide what stands below one of them, and never takes in the next.


_CHAPTER_DEPTH, _NUMERAL_DEPTH, _INNER_DEPTH, _MARKED_DEPTH = 10, 11, 12, 20
MARKS = 2  # marked headings: from then on they are the frame of the book
_LARGE = 100_000  # characters, about two hours: too much for one chapter among marked ones
_LEAVES = (HeadingKind.CHAPTER, HeadingKind.FRONT, HeadingKind.BACK)


def assign_depths(items: list[OutlineItem]) -> list[OutlineItem]:
    """The items with the depth of every heading."""
    marks = sorted({h.level for item in items if (h := item.heading) and h.level})
    made = _depths_of_lines(items)
    marked = [at for at, item in enumerate(items) if item.heading and item.heading.level]
    for at in marked:
        heading = items[at].heading
        assert heading is not None
        made[at] = replace(items[at], depth=_MARKED_DEPTH + marks.index(heading.level))
    return _below_marks(made, marked, len(marks)) if len(marked) >= MARKS else made


# Lines without marks


def _depths_of_lines(items: list[OutlineItem]) -> list[OutlineItem]:
    order = _nesting(items)
    outer = _outer_style(items)
    ahead = _sorts_ahead(items)
    follows = _follows_numerals(items)
    made: list[OutlineItem] = []
    for at, item in enumerate(items):
        found = item.heading
        if found is None:
            made.append(item)
        elif follows[at]:
            made.append(replace(item, depth=_NUMERAL_DEPTH))
        elif found.sort is HeadingKind.BACK and order:
            made.append(replace(item, depth=_depth_of_end(items, at, order, ahead[at])))
        else:
            made.append(replace(item, depth=_depth(found, order, outer)))
    return made


def _nesting(items: Iterable[OutlineItem]) -> list[HeadingKind]:
    """Volumes, books and parts in the order in which they first appear: the outer one first."""
    sorts = (h.sort for item in items if (h := item.heading) and h.sort in PARTS)
    return list(dict.fromkeys(sorts))


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


def _follows_numerals(items: Sequence[OutlineItem]) -> list[bool]:
    """Which forewords, afterwords and the like stand beside numbered chapters: those with words
    of their own before the next number, in a part without other chapters."""
    found = [False] * len(items)
    waiting: list[int] = []
    ends: list[int] = []  # they belong to no part unless numbers follow
    numbered = worded = False
    for at in range(len(items) + 1):
        heading = items[at].heading if at < len(items) else None
        if at == len(items) or (heading and heading.sort in PARTS):
            for place in waiting if numbered and not worded else ():
                found[place] = True
            waiting, ends, numbered, worded = [], [], False, False
        elif heading and heading.sort in (HeadingKind.FRONT, HeadingKind.BACK):
            if not heading.level and _says_something(items, at):
                (waiting if heading.sort is HeadingKind.FRONT else ends).append(at)
        elif heading:
            if heading.sort is HeadingKind.CHAPTER and numbered and not worded:
                for place in waiting:
                    found[place] = True
            worded |= heading.sort is HeadingKind.CHAPTER
            if heading.sort in NUMERALS:
                numbered = True
                waiting, ends = waiting + ends, []
    return found


def _says_something(items: Sequence[OutlineItem], title: int) -> bool:
    """Whether there are words between this heading and the next."""
    for at in range(title + 1, len(items)):
        if items[at].heading:
            return False
        if items[at].text and not items[at].is_title:
            return True
    return False


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


# Lines among marked headings


def _below_marks(items: list[OutlineItem], marked: list[int], levels: int) -> list[OutlineItem]:
    """Headings without marks stand below all marked ones, but for two: a part's name right above
    a marked heading, and the chapters of what is too large for one."""
    made = list(items)
    seen: set[str] = set()
    total = sum(len(item.text) for item in items)
    lowest = _MARKED_DEPTH + levels
    for start, stop in zip([-1, *marked], [*marked, len(items)], strict=True):
        lines = [at for at in range(start + 1, stop) if items[at].heading]
        if start >= 0 and (heading := items[start].heading):
            seen.add(heading.label)
        if not lines:
            continue
        above = items[start] if start >= 0 else None
        size = sum(len(item.text) for item in items[start + 1 : stop])
        beside = above is not None and _is_too_large(items, above, lines, size, total)
        for at in lines:
            depth = above.depth if above is not None and beside else lowest + items[at].depth
            made[at] = replace(items[at], depth=depth)
        for at in _dividers(items, lines, stop, seen) if stop < len(items) else ():
            made[at] = items[at]
    return made


def _is_too_large(
    items: Sequence[OutlineItem], above: OutlineItem, lines: list[int], size: int, total: int
) -> bool:
    """Whether a marked chapter holds most of the book, and chapters that only lines name."""
    if above.heading is None or above.heading.sort not in _LEAVES:
        return False
    chapters = [h for at in lines if (h := items[at].heading) and h.sort is HeadingKind.CHAPTER]
    return len(chapters) >= 2 and (size > _LARGE or 2 * size > total)


def _dividers(
    items: Sequence[OutlineItem], lines: list[int], stop: int, seen: set[str]
) -> Iterator[int]:
    """Lines right above the marked heading at `stop` that name the part which begins there:
    `Part One`; `Epilogue` only where a part or a count begins again below it."""
    below = items[stop].heading
    for at in reversed(lines):
        found = items[at].heading
        if any(item.text and not item.drop for item in items[at + 1 : stop]):
            return
        if found is None or below is None:
            return
        begins_again = below.sort in PARTS or below.label in seen
        if found.sort not in PARTS and (found.sort is not HeadingKind.BACK or not begins_again):
            return
        yield at
        stop, below = at, found
