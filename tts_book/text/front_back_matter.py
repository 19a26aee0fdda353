"""Matter around a book that is not read aloud with it: notes, index, imprint."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tts_book.text.headings import Heading, HeadingKind
from tts_book.text.normalize import Paragraph

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
