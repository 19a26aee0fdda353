"""Notes that are read where their marks stand: each is found by what its mark leads to."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from tts_book.readers.tree_text import Builder, Element, attribute, name_of, words

_LABEL = re.compile(r"[\[({]?(?:\d{1,4}|\*{1,3}|[†‡])[\])}.:]*\s+")
_BACK = re.compile(r"(?<![\s↑↩⤴⏎^])(?<![↑↩⤴⏎^]\ufe0f)(?:\s*[↑↩⤴⏎^]\ufe0f?)+\Z")
_INLINE = frozenset(("a", "sup", "span", "b", "i", "em", "strong", "small"))
_LONGEST = 20_000  # characters; a link may also lead to a chapter


@dataclass(slots=True)
class Notes:
    """The elements that marks can lead to, by page and anchor, and those that were read."""

    lead: str = ""
    by_anchor: dict[str, Element] = field(default_factory=dict)
    told: set[Element] = field(default_factory=set)

    def collect(self, page: str, root: Element) -> None:
        """Remembers what has an anchor in a page."""
        for element in root.iter():
            if name_of(element) and (anchor := attribute(element, "id")):
                self.by_anchor.setdefault(f"{page}#{anchor}", _whole(element))

    def tell(self, mark: Element, page: str, builder: Builder) -> None:
        """Has the note that `mark` leads to read after the paragraph, once."""
        href = next((found for e in mark.iter() if (found := attribute(e, "href"))), "")
        key = resolved(page, href)
        note = self.by_anchor.get(key)
        if note is None or note in self.told or mark in note.iter():
            return
        text = words(note)
        if 0 < len(text) <= _LONGEST:
            self.told.add(note)
            queue(builder, key, self.lead, text)


def resolved(page: str, href: str) -> str:
    """The page and anchor that a link in `page` leads to."""
    path, _, anchor = href.partition("#")
    folder = posixpath.dirname(page)
    target = posixpath.normpath(posixpath.join(folder, unquote(path))) if path else page
    return f"{target}#{unquote(anchor)}"


def queue(builder: Builder, label: str, lead: str, text: str) -> None:
    """Has a note read after the paragraph, without the number that it begins with."""
    number = _LABEL.match(text)
    back = _BACK.search(text)
    start = number.end() if number else 0
    stop = back.start() if back and back.start() > start else len(text)
    builder.after.append((label, lead, text[:start], text[start:stop], text[stop:]))


def _whole(element: Element) -> Element:
    """The note of an anchor that is a word in it."""
    while name_of(element) in _INLINE and element.getparent() is not None:
        element = element.getparent()
    return element
