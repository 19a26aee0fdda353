"""What HTML, EPUB and FB2 share: a tree of elements becomes a source text with its blocks.

The source of such a book is its text without the markup; a place in it is a label (a file and an
anchor). Trees are walked without recursion, so no depth can exhaust the stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tts_book.model import Source
from tts_book.readers.plain_lines import is_scene_mark
from tts_book.text.inline_rules import Edit
from tts_book.text.normalize import Block, Kind, Paragraph, make_paragraphs

_STOPS = ",.;:!?…—"

Element = Any
"""An lxml element; lxml has no types of its own."""


@dataclass(slots=True)
class Builder:
    """Collects the text of a book and what each piece of it is."""

    name: str
    parts: list[str] = field(default_factory=list)
    length: int = 0
    blocks: list[Block] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])
    labels: list[str] = field(default_factory=lambda: ["start"])
    after: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    _start: int = 0
    _kind: Kind = Kind.PROSE
    _level: int = 0
    _reason: str = ""
    _filled: bool = False
    _parted: bool = False

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

    def close(self) -> None:
        """The block ends; one without words is none."""
        if self._filled:
            text = "".join(self.parts[self._first :])
            kind = self._kind
            if kind in (Kind.PROSE, Kind.HEADING, Kind.VERSE) and is_scene_mark(text.strip()):
                kind = Kind.SCENE
            stop = self._start + len(text)
            self.blocks.append(Block(self._start, stop, kind, self._level, self._reason))
            self._put("\n")
        self._filled = self._parted = False
        self._kind, self._level, self._reason = Kind.PROSE, 0, ""
        if self.after:
            self._tell_notes()

    def _tell_notes(self) -> None:
        """The notes of the paragraph that has ended, each with its lead, number, text and tail."""
        waiting, self.after = self.after, []
        here = self.labels[-1]
        for label, lead, number, text, tail in waiting:
            self.label(label.rpartition("/")[2])
            self.write(number or text)
            if number:
                self.drop(self._start, "note mark")
                self.write(text)
            if lead:
                self.edits.append(
                    Edit(self._start + len(number), self._start + len(number), lead, "lead")
                )
            if tail:
                start = self.length
                self.write(tail)
                self.drop(start, "note mark")
            self.close()
        self.label(here)

    def write(self, text: str | None) -> None:
        """Words of the block; blanks before its first word are not kept."""
        if not text or (not self._filled and text.isspace()):
            return
        if not self._filled:
            self._filled = True
            self._start = self.length
            self._first = len(self.parts)
        if self._parted and not text.isspace():
            self.edits.append(Edit(self.length, self.length + 1, ", ", "markup"))
            self._put(" ")
            self._parted = False
        self._put(text)

    def line_end(self) -> None:
        """The next words begin a line of verse."""
        if self._filled:
            self._put("\n")
            if self._kind is Kind.PROSE:
                self._kind = Kind.VERSE

    def cell_end(self) -> None:
        """The next words of the row are set apart by a comma."""
        row = "".join(self.parts[self._first :]).rstrip() if self._filled else ""
        self._parted = row != "" and row[-1] not in _STOPS

    def scene(self) -> None:
        """A break between scenes that has no text of its own."""
        self.close()
        self.blocks.append(Block(self.length, self.length, Kind.SCENE))

    def drop(self, start: int, reason: str) -> None:
        """What was written since `start` is not spoken."""
        if start < self.length:
            self.edits.append(Edit(start, self.length, reason=reason))

    def finish(self) -> tuple[Source, str, tuple[Paragraph, ...]]:
        """The source, its text, and its paragraphs."""
        self.close()
        text = "".join(self.parts)
        source = Source(self.name, tuple(self.starts), tuple(self.labels))
        return source, text, tuple(make_paragraphs(text, self.blocks, self.edits))

    _first: int = 0

    def _put(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)


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


def children(element: Element, name: str) -> Iterator[Element]:
    """The direct children with that local name."""
    return (child for child in element if name_of(child) == name)


def words(element: Element | None) -> str:
    """All text below an element, its white space single."""
    return "" if element is None else " ".join("".join(element.itertext()).split())


def events(root: Element) -> Iterator[tuple[str, Element]]:
    """`start` and `end` of every node below and including `root`, comments too."""
    from lxml.etree import iterwalk

    yield from iterwalk(root, events=("start", "end", "comment", "pi"))
