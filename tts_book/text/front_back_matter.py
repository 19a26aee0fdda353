"""Matter around a book that is not read aloud with it: notes, index, imprint, contents lists."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tts_book.text import headings
from tts_book.text.headings import NUMERALS, PICTURE_LISTS, Heading, HeadingKind
from tts_book.text.normalize import Kind, Paragraph

PARTS = (HeadingKind.VOLUME, HeadingKind.BOOK, HeadingKind.PART)
WORDED = (*PARTS, HeadingKind.CHAPTER, HeadingKind.FRONT, HeadingKind.BACK, HeadingKind.PLAIN)
MOST_LEFT_OUT = 0.4  # of the book, by one rule: more than that is the book itself
_LONGEST_IMPRINT = 5_000  # characters, where no markup says how far it goes
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
    if sum(len(items[at].text) for at in drops) > MOST_LEFT_OUT * _size(items):
        return items
    return [
        replace(item, drop="notes") if at in drops and item.text else item
        for at, item in enumerate(items)
    ]


def _size(items: Sequence[OutlineItem]) -> int:
    """Characters that are not left out."""
    return sum(len(item.text) for item in items if not item.drop)


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


def drop_sections(
    items: list[OutlineItem],
    is_contents: Callable[[int, int], bool],
    *,
    notes: bool = False,
) -> list[OutlineItem]:
    """Sections whose headings call themselves so are left out: notes only where markup says how
    far they go, or where nothing but such matter follows; contents lists where `is_contents` says
    so of the items from one place to another. `notes` are kept where they are wanted."""
    total = _size(items)
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
        size = _size(items[at:stop])
        if found.sort is HeadingKind.CONTENTS:
            is_matter = is_contents(at, stop)
        elif found.sort is HeadingKind.IMPRINT:
            is_matter = found.level > 0 or size <= _LONGEST_IMPRINT
        else:
            is_matter = found.level > 0 or at > last
        if is_matter and 0 < size <= MOST_LEFT_OUT * total:
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


# Contents lists: found, left out, and asked for the names of chapters.
#
# A list is one only if most of its entries carry page numbers that count up, or stand again in the
# book as headings or as lines of their own. What is left out as a list has a cap.


_LEAVES = (HeadingKind.CHAPTER, HeadingKind.FRONT, HeadingKind.BACK)
_LONGEST_ENTRY = 250  # characters
_MOST_ENTRIES = 5_000
_LEAST_FOUND = 0.6  # of the entries carry a page or stand again
_LEAD = 4  # lines between the heading of a list and its first entry: the title again
_FEW_PICTURES, _CAPTION = 10, 60  # captions at least, and their characters on average
_FAR = 3  # blank lines: what follows is something else
_LONGEST_LINE = 120  # characters of a line of its own that an entry may stand again as
_LEADERS = re.compile(r"(?<![.…·_ ])[.…·_ ]{2,}\d{1,4}\Z")
_PAGE_END = re.compile(r" (\d{1,4})\Z")
_NUMBER = re.compile(r"\A\W*(?:\d{1,3}|[ivxlcdm]{1,7})\W+(?=\w)")
_DIALOGUE = ("-", "–", "—", "«", "“", '"')


class BookLines:
    """Where short lines and headings stand, to look entries of a list up."""

    def __init__(self, items: Sequence[OutlineItem]) -> None:
        self._items = items
        self._places: dict[str, list[int]] = {}
        self._before = [0]  # characters before each item
        for at, item in enumerate(items):
            self._before.append(self._before[-1] + len(item.text))
            for name in _names(item.text, item.heading):
                self._places.setdefault(name, []).append(at)

    @property
    def size(self) -> int:
        """Characters of the book."""
        return self._before[-1]

    def list_under(self, title: int) -> range:
        """The contents list under the heading at `title`, or an empty range if there is none."""
        heading = self._items[title].heading
        if heading is not None and heading.label in PICTURE_LISTS:
            return self._pictures_under(title)
        stop = self._window(title)
        span = range(title, stop)
        entries = [at for at in range(title + 1, stop) if self._items[at].text]
        found = [at for at in entries if self.is_found(at, span)]
        while found and self._begins_body(found[-1], found):
            found.pop()
        lead = min(_LEAD, bisect_left(entries, found[0])) if found else 0
        while found and len(found) < _LEAST_FOUND * (bisect_right(entries, found[-1]) - lead):
            found.pop()
        if sum(len(_lines(self._items[at])) for at in found) < 2:
            return range(0)
        stop = found[-1] + 1
        while stop < len(self._items) and self._heads_nothing(stop):
            stop += 1
        return range(title, stop)

    def is_list(self, title: int, stop: int) -> bool:
        """Whether what stands below the heading at `title` up to `stop` is a contents list."""
        entries = [at for at in range(title + 1, stop) if self._items[at].text]
        found = sum(self.is_found(at, range(title, stop)) for at in entries)
        return found >= max(1, _LEAST_FOUND * len(entries))

    def _heads_nothing(self, at: int) -> bool:
        """Whether this is a blank, or the heading of a further list that is none."""
        heading = self._items[at].heading
        is_title = heading is not None and heading.sort is HeadingKind.CONTENTS
        return not self._items[at].text or (is_title and not self.list_under(at))

    def _pictures_under(self, title: int) -> range:
        """The captions under the heading at `title`: a good many short lines."""
        lines: list[int] = []
        for at in range(title + 1, min(len(self._items), title + _MOST_ENTRIES)):
            item = self._items[at]
            if not item.text:
                continue
            is_over = item.paragraph.block.gap >= _FAR and len(lines) >= _FEW_PICTURES
            if len(item.text) > _LONGEST_LINE or item.heading or is_over:
                break
            lines.append(at)
        length = sum(len(self._items[at].text) for at in lines)
        if len(lines) < _FEW_PICTURES or length > min(_CAPTION * len(lines), self.size / 10):
            return range(0)
        return range(title, lines[-1] + 1)

    def _window(self, title: int) -> int:
        """Where a list under `title` must have ended: at prose, at another list, or where its own
        entries begin to stand again."""
        items = self._items
        heading = items[title].heading
        level = heading.level if heading else 0
        seen: set[str] = set()
        first = ""
        for at in range(title + 1, min(len(items), title + _MOST_ENTRIES)):
            item = items[at]
            if not item.text:
                continue
            lines = _lines(item)
            if max(map(len, lines)) > _LONGEST_ENTRY and not _heading_of_summary(item.text):
                return at
            if item.heading and item.heading.sort is HeadingKind.CONTENTS and first:
                return at
            if level and item.heading and 0 < item.heading.level <= level:
                return at
            keys = [_key(line) for line in lines]
            bare = item.heading is not None and item.heading.is_alone
            if keys[0] == first or (keys[0] in seen and not bare):
                return at
            first = first or keys[0]
            seen.update(keys)
        return min(len(items), title + _MOST_ENTRIES)

    def is_found(self, at: int, span: range) -> bool:
        """Whether the entry at `at` carries a page, or stands outside the list again; of entries on
        lines of one paragraph most."""
        item = self._items[at]
        lines = _lines(item)
        if self._is_line_found(item.text, item.heading, span):
            return True
        found = [self._is_line_found(line, headings.parse_heading(line), span) for line in lines]
        return len(lines) > 1 and sum(found) >= _LEAST_FOUND * len(lines)

    def _is_line_found(self, text: str, heading: Heading | None, span: range) -> bool:
        if _LEADERS.search(text) or (_PAGE_END.search(text) and not _is_numbered(text)):
            return True
        if text.startswith(_DIALOGUE) and heading is None:
            return False
        is_front = self._before[span.start] < self.size - self._before[span.stop]
        for name in _names(text, heading):
            places = self._places.get(name, ())
            after = len(places) - bisect_right(places, span.stop - 1)
            before = bisect_right(places, span.start - 1)
            if 0 < (after if is_front else before) <= (2 if name[0] == "=" else len(places)):
                return True
        return False

    def _begins_body(self, at: int, found: Sequence[int]) -> bool:
        """Whether the last entry is rather the heading of the prose below it."""
        item = self._items[at]
        names = set(_names(item.text, item.heading))
        others = (self._items[other] for other in found[:-1])
        return any(names & set(_names(other.text, other.heading)) for other in others) and not any(
            place > at for name in names for place in self._places.get(name, ())
        )


def drop_contents_lists(items: list[OutlineItem], book: BookLines) -> list[OutlineItem]:
    """The items with contents lists left out; lines that only such a list names as chapters
    become headings."""
    drops: set[int] = set()
    entries: set[str] = set()
    for at, item in enumerate(items):
        if item.heading and item.heading.sort is HeadingKind.CONTENTS:
            span = book.list_under(at)
            drops.update(span)
            entries.update(_key(line) for i in span[1:] for line in _lines(items[i]))
    drops.update(_unnamed_lists(items, drops))
    if sum(len(items[at].text) for at in drops) > MOST_LEFT_OUT * book.size:
        return items
    found = [
        replace(item, drop="contents list") if at in drops and item.text else item
        for at, item in enumerate(items)
    ]
    return _named_by(found, entries)


def _lines(item: OutlineItem) -> list[str]:
    """The entries that an item of a list holds: one, or some on lines of their own."""
    return item.text.split("\n") if item.paragraph.block.kind is Kind.VERSE else [item.text]


def _names(text: str, heading: Heading | None) -> Iterator[str]:
    """What an entry and its chapter may have in common: `#` with the number of a chapter or the
    label of another heading, `=` with the words of the line, with and without their number."""
    found = heading or _heading_of_summary(text)
    if found and found.sort in (*NUMERALS, HeadingKind.CHAPTER):
        if found.sort is HeadingKind.CHAPTER or found.is_alone:
            yield f"#{found.label.rpartition(' ')[2]}"
    elif found and found.sort in WORDED:
        yield f"#{found.label}"
    if 0 < len(text) <= _LONGEST_LINE or (found and found.level):
        key = _key(text)
        yield f"={key}"
        bare = _NUMBER.sub("", key, count=1) if found else key
        if found and found.sort in (*_LEAVES, HeadingKind.PART, HeadingKind.BOOK):
            bare = key.partition(". ")[2] or key.partition(": ")[2]
        if bare and bare != key:
            yield f"={bare}"


def _heading_of_summary(text: str) -> Heading | None:
    """The heading of a long entry that tells what happens: `Chapter I. The guests arrive. …`"""
    if not headings.LONGEST < len(text) < 4 * _LONGEST_ENTRY:
        return None
    found = headings.parse_heading(text[:_LONGEST_ENTRY].split(". ", 1)[0])
    return found if found and found.sort in WORDED else None


def _is_numbered(text: str) -> bool:
    """Whether the number at the end is that of a heading: `Chapter 12`."""
    found = headings.parse_heading(text)
    return found is not None and (
        found.sort in NUMERALS or headings.parse_heading(_PAGE_END.sub("", text)) is None
    )


def _key(text: str) -> str:
    """What an entry and its chapter have in common: the words without the page."""
    bare = _LEADERS.sub("", text)
    shorter = _PAGE_END.sub("", bare)
    if shorter != bare and _is_numbered(bare):
        shorter = bare
    words = shorter.strip(" .…·_").casefold().replace("’", "'").replace("—", " ").split()
    return " ".join(words)


# Lists without a heading


def _unnamed_lists(items: Sequence[OutlineItem], known: set[int]) -> set[int]:
    """Headings in a row, nothing between them, that all come again with something to say."""
    drops: set[int] = set()
    row: list[int] = []
    count = Counter(item.heading.label for item in items if item.heading)
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


def _list_in(items: Sequence[OutlineItem], row: list[int], count: Counter[str]) -> Iterator[int]:
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


def _comes_again(labels: Sequence[str], count: Counter[str]) -> bool:
    """Whether most of these headings stand elsewhere in the book too."""
    here = Counter(labels)
    return sum(count[label] > here[label] for label in labels) >= _LEAST_FOUND * len(labels)


# Chapters that only the list names


def _named_by(items: list[OutlineItem], entries: set[str]) -> list[OutlineItem]:
    """Chapters without a word or a number, known only from the contents list."""
    if len(entries) < 3:
        return items
    places: dict[str, list[int]] = {}
    for at, item in enumerate(items):
        is_short = 0 < len(item.text) < _LONGEST_ENTRY
        if is_short and not item.drop and _key(item.text) in entries:
            places.setdefault(_key(item.text), []).append(at)
    worded = any(i.heading and i.heading.sort is HeadingKind.CHAPTER and not i.drop for i in items)
    named = {at[0] for at in places.values() if len(at) == 1 and not items[at[0]].heading}
    if worded or len(named) < 3:
        return items
    return [
        replace(item, heading=name_chapter(item.text)) if at in named else item
        for at, item in enumerate(items)
    ]


def name_chapter(text: str) -> Heading:
    """The heading of a chapter that is named by its title only."""
    title = headings.tidy_title(text)
    return Heading(HeadingKind.CHAPTER, title.casefold(), title)
