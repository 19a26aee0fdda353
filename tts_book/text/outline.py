"""Which paragraphs of a book are headings, which are contents lists and notes, and how deep
each heading stands. What one line cannot tell, its neighbours can."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from tts_book.text import headings
from tts_book.text.contents_lists import BookLines, drop_contents_lists
from tts_book.text.front_back_matter import (
    WORDED,
    OutlineItem,
    drop_notes,
    drop_sections,
)
from tts_book.text.heading_depths import MARKS, assign_depths
from tts_book.text.headings import EPISODES, Heading, HeadingKind
from tts_book.text.normalize import Kind, Paragraph
from tts_book.text.numbering import keep_counted_numerals
from tts_book.text.numerals import is_number
from tts_book.text.title_lines import find_afterword, find_story_titles

_MATTER = (HeadingKind.CONTENTS, HeadingKind.NOTES, HeadingKind.INDEX, HeadingKind.IMPRINT)


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
    items = find_afterword(find_story_titles(items), afterword)
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
            paragraph, headings.parse_marked_heading(paragraph.text, paragraph.block.level)
        )
    if paragraph.block.kind is Kind.VERSE:
        return OutlineItem(paragraph)
    return OutlineItem(paragraph, headings.parse_heading(paragraph.text))


def _trusted(items: list[OutlineItem]) -> list[OutlineItem]:
    """Where markup marks headings, bare numbers without marks are only that: a table's, say."""
    if sum(bool(item.heading and item.heading.level) for item in items) < MARKS:
        return items
    return [
        replace(item, heading=None)
        if item.heading and item.heading.sort is HeadingKind.ARABIC and not item.heading.level
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
