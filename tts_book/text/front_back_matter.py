"""Matter around a book that is not read aloud with it: contents lists, notes, index, imprint."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tts_book.text import headings
from tts_book.text.headings import Heading, HeadingKind
from tts_book.text.normalize import Paragraph

PARTS = (HeadingKind.VOLUME, HeadingKind.BOOK, HeadingKind.PART)
WORDED = (*PARTS, HeadingKind.CHAPTER, HeadingKind.FRONT, HeadingKind.BACK, HeadingKind.PLAIN)
_LEAVES = (HeadingKind.CHAPTER, HeadingKind.FRONT, HeadingKind.BACK)
_ENTRY = 250  # the longest entry of a contents list, in characters
_ENTRIES = 5_000  # and as many of them at most
_LEADERS = re.compile(r"(?<![.…·_ ])[.…·_ ]{2,}\d{1,4}\Z")
_PAGE_END = re.compile(r" \d{1,4}\Z")
_ENDS_NOTES = (HeadingKind.CONTENTS, HeadingKind.NOTES)
_MOST_BETWEEN = 40  # paragraphs from one note's label to the next
_LEAST_LABELS = 0.2  # of the paragraphs of a list of notes
_NOTE_LABEL = re.compile(r"\W?\d{1,4}(?:\W|\Z)|\*")


@dataclass(frozen=True, slots=True)
class OutlineItem:
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


# Contents lists


def drop_contents_lists(items: list[OutlineItem]) -> list[OutlineItem]:
    drops: set[int] = set()
    entries: set[str] = set()
    for at, item in enumerate(items):
        if item.heading and item.heading.sort is HeadingKind.CONTENTS and at not in drops:
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


def _listed(items: Sequence[OutlineItem], title: int) -> range:
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
    found = headings.parse_heading(text[:_ENTRY].split(". ", 1)[0])
    return found is not None and found.sort in WORDED and len(text) < 4 * _ENTRY


def _starts_body(items: Sequence[OutlineItem], stop: int, first: str) -> bool:
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
    if shorter != bare and headings.parse_heading(bare) and not headings.parse_heading(shorter):
        shorter = bare
    return shorter.strip(" .…·_").casefold()


def _unnamed_lists(items: Sequence[OutlineItem], known: set[int]) -> set[int]:
    """Headings in a row, nothing between them, that all come again with something to say."""
    drops: set[int] = set()
    row: list[int] = []
    count: dict[str, int] = {}
    for item in items:
        if item.heading:
            count[item.heading.label] = count.get(item.heading.label, 0) + 1
    for at, item in enumerate(items):
        if at not in known:
            if not item.text or (item.heading and item.heading.sort in WORDED):
                row.append(at)
                continue
            if row and item.text[-1].isalnum() and len(item.text) < 100:
                row.append(at)
                continue
        drops.update(_list_in(items, row, count))
        row = []
    drops.update(_list_in(items, row, count))
    return drops


def _list_in(items: Sequence[OutlineItem], row: list[int], count: dict[str, int]) -> Iterator[int]:
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


def _again(items: Sequence[OutlineItem], row: list[int], label: str) -> int:
    places = [i for i, at in enumerate(row) if (h := items[at].heading) and h.label == label]
    return places[1]


def _comes_again(labels: Sequence[str], count: dict[str, int]) -> bool:
    """Whether most of these headings stand elsewhere in the book too."""
    here = Counter(labels)
    return sum(count[label] > here[label] for label in labels) >= 0.6 * len(labels)


def _named_by(items: list[OutlineItem], entries: set[str]) -> list[OutlineItem]:
    """Chapters without a word or a number, known only from the contents list."""
    if len(entries) < 3:
        return items
    places: dict[str, list[int]] = {}
    for at, item in enumerate(items):
        if item.text and not item.drop and len(item.text) < _ENTRY and _key(item.text) in entries:
            places.setdefault(_key(item.text), []).append(at)
    worded = any(i.heading and i.heading.sort is HeadingKind.CHAPTER and not i.drop for i in items)
    named = {at[0] for at in places.values() if len(at) == 1 and not items[at[0]].heading}
    if worded or len(named) < 3:
        return items
    return [
        replace(item, heading=_chapter(item.text)) if at in named else item
        for at, item in enumerate(items)
    ]


def _chapter(text: str) -> Heading:
    title = headings.tidy_title(text)
    return Heading(HeadingKind.CHAPTER, title.casefold(), title)


# Notes


def drop_notes(items: list[OutlineItem]) -> list[OutlineItem]:
    """Notes under a heading of their own are left out: their marks are not read either."""
    drops: set[int] = set()
    for at, item in enumerate(items):
        if (
            at not in drops
            and item.heading
            and not item.drop
            and item.heading.sort is HeadingKind.NOTES
        ):
            drops.update(_notes(items, at))
    return [
        replace(item, drop="notes") if at in drops and item.text else item
        for at, item in enumerate(items)
    ]


def _notes(items: Sequence[OutlineItem], title: int) -> range:
    """The notes under the heading at `title`: they go on as long as labels keep coming, up to
    the next part or chapter. An empty range if there are none."""
    labelled = last = total = 0
    since = 0
    stop = title + 1
    for at in range(title + 1, len(items)):
        item = items[at]
        if item.drop or (item.heading and item.heading.sort in (*WORDED, *_ENDS_NOTES)):
            stop = at
            break
        if not item.text:
            continue
        total += 1
        since += 1
        if _is_label(item.text):
            labelled += 1 + ("(2)" in item.text)
            since, last = 0, at
        if since > _MOST_BETWEEN:
            stop = _end_of_note(items, last)
            break
    else:
        stop = len(items)
    total -= max(0, since - 1)
    is_list = labelled >= 2 and labelled >= _LEAST_LABELS * total
    return range(title, stop) if is_list else range(0)


def _is_label(text: str) -> bool:
    return _NOTE_LABEL.match(text[:6]) is not None


def _end_of_note(items: Sequence[OutlineItem], label: int) -> int:
    """Behind a note that is its label's own line, or the paragraph below the bare label."""
    bare = items[label].heading is not None
    at = label + 1
    while bare and at < len(items) and not items[at].text:
        at += 1
    return at + bare


# Whole sections: index, imprint, final notes

_REASONS = {
    HeadingKind.INDEX: "index",
    HeadingKind.IMPRINT: "copyright",
    HeadingKind.CONTENTS: "contents list",
    HeadingKind.NOTES: "notes",
}
_MOST_SECTION = 0.4  # of the book: more than that is the book itself


def drop_sections(items: list[OutlineItem], *, notes: bool = False) -> list[OutlineItem]:
    """Sections whose headings call themselves so are left out. Contents lists and notes only
    where markup says how far they go, or where nothing but such matter follows. `notes` are kept
    where they are wanted."""
    total = sum(len(item.text) for item in items if not item.drop)
    last = max((at for at, i in enumerate(items) if i.heading and _is_worded(i)), default=-1)
    made = list(items)
    at = 0
    while at < len(items):
        found = items[at].heading
        reason = "" if found is None or items[at].drop else _REASONS.get(found.sort, "")
        if found is None or not reason or (notes and found.sort is HeadingKind.NOTES):
            at += 1
            continue
        stop = _section_end(items, at, found)
        size = sum(len(item.text) for item in items[at:stop] if not item.drop)
        is_told = found.level or found.sort in (HeadingKind.INDEX, HeadingKind.IMPRINT) or at > last
        if is_told and 0 < size <= _MOST_SECTION * total:
            made[at:stop] = [_dropped(item, reason) for item in items[at:stop]]
        at = stop
    return made


def _is_worded(item: OutlineItem) -> bool:
    return item.heading is not None and not item.drop and item.heading.sort in WORDED


def _section_end(items: Sequence[OutlineItem], title: int, found: Heading) -> int:
    """Where the section under the heading at `title` ends."""
    for at in range(title + 1, len(items)):
        after = items[at].heading
        if after is None or items[at].drop:
            continue
        if found.level:
            if 0 < after.level <= found.level:
                return at
        elif after.sort in WORDED or after.sort in _REASONS:
            return at
    return len(items)


def _dropped(item: OutlineItem, reason: str) -> OutlineItem:
    return replace(item, drop=reason) if item.text and not item.drop else item
