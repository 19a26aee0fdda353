"""Whole sections around a book that are not read aloud with it: index, imprint, final notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tts_book.text.front_back_matter import WORDED, Item
from tts_book.text.headings import Heading, Sort

_REASONS = {
    Sort.INDEX: "index",
    Sort.IMPRINT: "copyright",
    Sort.CONTENTS: "contents list",
    Sort.NOTES: "notes",
}
_MOST = 0.4  # of the book: more than that is the book itself


def without_sections(items: list[Item], *, notes: bool = False) -> list[Item]:
    """Sections whose headings call themselves so are left out. Contents lists and notes only
    where markup says how far they go, or where nothing but such matter follows. `notes` are kept
    where they are wanted."""
    total = sum(len(item.text) for item in items if not item.drop)
    last = max((at for at, i in enumerate(items) if i.heading and _is_leaf(i)), default=-1)
    made = list(items)
    at = 0
    while at < len(items):
        found = items[at].heading
        reason = "" if found is None or items[at].drop else _REASONS.get(found.sort, "")
        if found is None or not reason or (notes and found.sort is Sort.NOTES):
            at += 1
            continue
        stop = _end(items, at, found)
        size = sum(len(item.text) for item in items[at:stop] if not item.drop)
        is_told = found.level or found.sort in (Sort.INDEX, Sort.IMPRINT) or at > last
        if is_told and 0 < size <= _MOST * total:
            made[at:stop] = [_dropped(item, reason) for item in items[at:stop]]
        at = stop
    return made


def _is_leaf(item: Item) -> bool:
    return item.heading is not None and not item.drop and item.heading.sort in WORDED


def _end(items: Sequence[Item], title: int, found: Heading) -> int:
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


def _dropped(item: Item, reason: str) -> Item:
    return replace(item, drop=reason) if item.text and not item.drop else item
