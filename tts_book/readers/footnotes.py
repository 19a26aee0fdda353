"""Notes that are read where their marks stand: each is found by what its mark leads to."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from tts_book.readers.tree_text import Builder, Element, QueuedNote, attribute, name_of, text_of

_LABEL = re.compile(r"[\[({]?(?:\d{1,4}|\*{1,3}|[†‡])[\])}.:]*\s+")
_BACK = "↑↩⤴⏎^\ufe0f "
_INLINE = frozenset(("a", "sup", "span", "b", "i", "em", "strong", "small"))
_DEEPEST = 20  # elements around a word
_LONGEST = 20_000  # characters; a link may also lead to a chapter


@dataclass(slots=True)
class Notes:
    """The elements that marks can lead to, by page and anchor. `read` are those that were read or
    are about to be; `open` those that the walk is inside of."""

    by_anchor: dict[str, Element] = field(default_factory=dict)
    read: set[Element] = field(default_factory=set)
    open: set[Element] = field(default_factory=set)
    _targets: set[Element] = field(default_factory=set)
    _refused: set[Element] = field(default_factory=set)

    def collect(self, page: str, root: Element) -> None:
        """Remembers what has an anchor in a page."""
        for element in root.iter():
            if name_of(element) and (anchor := attribute(element, "id")):
                note = _whole(element)
                self.by_anchor.setdefault(f"{page}#{anchor}", note)
                self._targets.add(note)

    def enter(self, element: Element) -> None:
        """The walk goes into an element."""
        if element in self._targets:
            self.open.add(element)

    def leave(self, element: Element) -> None:
        """The walk leaves an element: what was passed is not read again for a link back to it."""
        if element in self.open:
            self.open.remove(element)
            self._refused.add(element)

    def queue(self, mark: Element, page: str, builder: Builder) -> None:
        """Has the note that `mark` leads to read after the paragraph, once."""
        href = next((found for e in mark.iter() if (found := attribute(e, "href"))), "")
        key = resolve_link(page, href)
        note = self.by_anchor.get(key)
        if note is None or note in self.read or note in self._refused or note in self.open:
            return
        text = text_of(note)
        if 0 < len(text) <= _LONGEST:
            self.read.add(note)
            builder.queued.append(make_note(key.rpartition("/")[2], text))
        else:
            self._refused.add(note)


def resolve_link(page: str, href: str) -> str:
    """The page and anchor that a link in `page` leads to."""
    path, _, anchor = href.partition("#")
    folder = posixpath.dirname(page)
    target = posixpath.normpath(posixpath.join(folder, unquote(path))) if path else page
    return f"{target}#{unquote(anchor)}"


def make_note(label: str, text: str) -> QueuedNote:
    """A note as it is read: without the number that it begins with and the link back."""
    number = _LABEL.match(text)
    start = number.end() if number else 0
    stop = max(start, len(text.rstrip(_BACK)))
    return QueuedNote(label, text[:start], text[start:stop], text[stop:])


def _whole(element: Element) -> Element:
    """The note of an anchor that is a word in it."""
    for _ in range(_DEEPEST):
        if name_of(element) not in _INLINE or element.getparent() is None:
            break
        element = element.getparent()
    return element
