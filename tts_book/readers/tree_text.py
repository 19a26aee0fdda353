"""What HTML, EPUB and FB2 share: a tree of elements becomes a source text with its blocks.

The source of such a book is its text without the markup; a place in it is a label (a file and an
anchor). Trees are walked without recursion, so no depth can exhaust the stack.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unicodedata import normalize
from urllib.parse import unquote

from tts_book.model import Source
from tts_book.readers.book import CodeAs
from tts_book.readers.plain import is_scene_mark
from tts_book.text.announcements import Sign
from tts_book.text.inline_rules import (
    LOOK_BACK,
    Edit,
    is_note_mark,
    keep_as_written,
    to_subscript,
    to_superscript,
)
from tts_book.text.normalize import Block, Kind, Paragraph, make_paragraphs

_STOPS = ",.;:!?…—"
_LONGEST_HEAD = 60  # characters of the head of a column

Element = Any
"""An lxml element; lxml has no types of its own."""


@dataclass(frozen=True, slots=True)
class QueuedNote:
    """A note that is read after the paragraph of its mark: the label of its place, its number,
    its words, and the link back behind them."""

    label: str
    number: str
    text: str
    tail: str


@dataclass(slots=True)
class Builder:
    """Collects the text of a book and what each piece of it is. `code` is what becomes of code,
    formulas and figures; `queued` are the notes that are read after this paragraph."""

    name: str
    code: CodeAs = "announce"
    parts: list[str] = field(default_factory=list)
    length: int = 0
    blocks: list[Block] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])
    labels: list[str] = field(default_factory=lambda: ["start"])
    queued: list[QueuedNote] = field(default_factory=list)
    verbatim: int = 0
    """Above 0 what is written is code: its dashes and stars are no typography."""
    _start: int = 0
    _first: int = 0  # of `parts`
    _kind: Kind = Kind.PROSE
    _level: int = 0
    _reason: str = ""
    _sign: str = ""
    _filled: bool = False
    _separator: str = ""
    _lead: str = ""
    _last: str = ""  # the last character that is not blank
    _figure: str | None = None
    _lines: int = -1  # of a heading of several lines; -1 outside

    @property
    def is_filled(self) -> bool:
        """Whether the block has words, or what is left out of it has."""
        return self._filled

    @property
    def has_heading(self) -> bool:
        """Whether the heading of several lines that was begun has one."""
        return self._lines > 0 or (self._lines == 0 and self._filled)

    def label(self, label: str) -> None:
        """From here on places are called `label`."""
        if self.starts[-1] == self.length:
            self.labels[-1] = label
        else:
            self.starts.append(self.length)
            self.labels.append(label)

    def open(self, kind: Kind = Kind.PROSE, level: int = 0, reason: str = "") -> None:
        """A new block begins; the one before it ends."""
        self.close()
        self._kind, self._level, self._reason = kind, level, reason

    def open_code(self, reason: str = "code", sign: Sign = Sign.CODE) -> None:
        """A block of code, or of what is dealt with like code, begins."""
        if self.code == "read":
            self.open(Kind.VERSE)
        else:
            self.open(Kind.LEFT_OUT, reason=reason)
            self._sign = sign if self.code == "announce" else ""

    def close(self) -> None:
        """The block ends; one without words is none."""
        if self._filled:
            self._close_block()
        self._filled, self._separator = False, ""
        self._kind, self._level, self._reason, self._sign = Kind.PROSE, 0, "", ""
        self._lead = self._last = ""
        if self._figure is not None:
            self._add_figure()
        if self.queued:
            self._add_notes()

    def _close_block(self) -> None:
        text = "".join(self.parts[self._first :])
        kind, stop = self._kind, self._start + len(text)
        if kind in (Kind.PROSE, Kind.HEADING, Kind.VERSE) and is_scene_mark(text.strip()):
            kind = Kind.SCENE
        elif kind is Kind.HEADING and self._is_dropped(text):
            kind = Kind.PROSE
        elif self._sign:
            kind = Kind.PROSE
            self.edits.append(Edit(self._start, stop, self._sign, self._reason))
        is_line = self._lines >= 0 and kind in (Kind.HEADING, Kind.PROSE)
        goes_on = is_line and self._lines > 0
        self._lines += is_line
        block = Block(self._start, stop, kind, self._level, self._reason, goes_on=goes_on)
        self.blocks.append(block)
        self._put("\n")

    def _is_dropped(self, text: str) -> bool:
        """Whether nothing of the block is spoken."""
        left = list(text)
        for edit in reversed(self.edits):
            if edit.stop <= self._start:
                break
            if not edit.new:
                first = max(0, edit.start - self._start)
                left[first : edit.stop - self._start] = " " * (edit.stop - self._start - first)
        return not "".join(left).strip()

    def _add_figure(self) -> None:
        """A figure has no text of its own; its description counts as such where it is read."""
        description, self._figure = self._figure, None
        if description:
            self.write(description)
            self.close()
        else:
            start = self.length
            self._put("\n")
            self.edits.append(Edit(start, start + 1, Sign.FIGURE, "figure"))
            self.blocks.append(Block(start, start + 1))

    def _add_notes(self) -> None:
        """The notes of the paragraph that has ended, each after a word that says what it is."""
        waiting, self.queued = self.queued, []
        here = self.labels[-1]
        for note in waiting:
            self.label(note.label)
            self.write(note.number or note.text)
            if note.number:
                self.drop(self._start, "note mark")
                self.write(note.text)
            begin = self._start + len(note.number)
            self.edits.append(Edit(begin, begin, Sign.NOTE, "lead"))
            if note.tail:
                start = self.length
                self.write(note.tail)
                self.drop(start, "note mark")
            self.close()
        self.label(here)

    def write(self, text: str | None) -> None:
        """Words of the block; blanks before its first word are not kept."""
        if not text or (not self._filled and text.isspace()):
            return
        if not self._filled:
            self._filled = True
            self._figure = None
            self._start = self.length
            self._first = len(self.parts)
        if not text.isspace():
            if self._separator:
                self.edits.append(Edit(self.length, self.length + 1, self._separator, "markup"))
                self._put(" ")
                self._separator = ""
            if self._lead:
                self.edits.append(Edit(self.length, self.length, self._lead, "lead"))
                self._lead = ""
            if self.verbatim:
                self.edits.extend(keep_as_written(text, self.length))
            self._last = text.rstrip()[-1]
        self._put(text)

    def line_end(self) -> None:
        """The next words begin a line of verse."""
        if self._filled:
            self._put("\n")
            if self._kind is Kind.PROSE:
                self._kind = Kind.VERSE

    def cell_begin(self, head: str) -> None:
        """The next words are a cell of the column `head`, which is said before them."""
        self._lead = f"{head.rstrip(':')}: " if head else ""

    def cell_end(self) -> None:
        """The next words of the row are set apart by a comma."""
        self._lead = ""
        if self._last:
            self._separator = " " if self._last in _STOPS else ", "

    def heading_begin(self) -> None:
        """From here to `heading_end` all headings are lines of one."""
        self._lines = 0

    def heading_end(self) -> None:
        """The lines of a heading have ended."""
        self.close()
        self._lines = -1

    def scene(self) -> None:
        """A break between scenes that has no text of its own."""
        self.close()
        self.blocks.append(Block(self.length, self.length, Kind.SCENE))

    def figure(self, description: str) -> None:
        """A figure, where it stands alone: it is announced, or its description is read."""
        if not self._filled and self._kind is not Kind.HEADING and self.code != "skip":
            self._figure = description if self.code == "read" else ""

    def drop(self, start: int, reason: str) -> None:
        """What was written since `start` is not spoken."""
        if start < self.length:
            self.edits.append(Edit(start, self.length, reason=reason))

    def replace(self, start: int, new: str, reason: str = "") -> None:
        """What was written since `start` is said as `new`; with a `reason` it counts as skipped."""
        if start < self.length:
            reason = reason or ("" if new else "invisible character")
            self.edits.append(Edit(start, self.length, new, reason))

    def script_end(self, name: str, start: int) -> None:
        """A raised or lowered number (`name` is "sup" or "sub") that was written since `start`
        keeps its place, unless it marks a note."""
        size = self.length - start
        whole = self.tail(size + LOOK_BACK)
        before, text = whole[: len(whole) - size], whole[len(whole) - size :]
        number = to_superscript(text) if name == "sup" else to_subscript(text)
        if number and name == "sup" and is_note_mark(before):
            self.drop(start, "note mark")
        elif number:
            self.replace(start, number)

    def tail(self, size: int) -> str:
        """The last characters of the block, at most `size`."""
        found, at = "", len(self.parts)
        while self._filled and at > self._first and len(found) < size:
            at -= 1
            found = self.parts[at][-size:] + found
        return found[-size:]

    def finish(self) -> tuple[Source, str, tuple[Paragraph, ...]]:
        """The source, its text, and its paragraphs."""
        self.close()
        text = "".join(self.parts)
        source = Source(self.name, tuple(self.starts), tuple(self.labels))
        return source, text, tuple(make_paragraphs(text, self.blocks, self.edits))

    def _put(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)


def find_head(text: str) -> str:
    """The head of a column as it is said before its cells; empty where it is too long for that."""
    text = drop_invisibles(text)
    return text if len(text) <= _LONGEST_HEAD and any(map(str.isalnum, text)) else ""


def drop_invisibles(text: str) -> str:
    """`text` as it may be said instead of other text: in NFC, without control and private
    characters, its white space single."""
    kept = "".join(c for c in text if c.isprintable() or c.isspace())
    return normalize("NFC", " ".join(kept.split()))


def name_of(element: Element) -> str:
    """The local name of an element in lower case; empty for comments and the like."""
    tag = element.tag
    return tag.rpartition("}")[2].lower() if isinstance(tag, str) else ""


def attribute(element: Element, name: str) -> str:
    """The attribute `name` whatever its namespace, which real files get wrong."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2].rpartition(":")[2] == name:
            return str(value)
    return ""


def children_of(element: Element, name: str) -> Iterator[Element]:
    """The direct children with that local name."""
    return (child for child in element if name_of(child) == name)


def text_of(element: Element | None) -> str:
    """All text below an element, its white space single."""
    return "" if element is None else " ".join("".join(element.itertext()).split())


def walk_tree(root: Element) -> Iterator[tuple[str, Element]]:
    """`start` and `end` of every node below and including `root`, comments too."""
    from lxml.etree import iterwalk

    yield from iterwalk(root, events=("start", "end", "comment", "pi"))


# Notes that are read where their marks stand: each is found by what its mark leads to.


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
