"""Where a line of a source, or some words of it, stand in the chunks of its records."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tts_book.model import Place
from tts_book.output.inspection.manifests import Known


@dataclass(frozen=True, slots=True)
class Hit:
    """Words in a chunk of a record, from `offset` of its text."""

    known: Known
    chapter: dict[str, Any]
    chunk: dict[str, Any]
    offset: int

    @property
    def order(self) -> tuple[int, int, int]:
        """Where that is in the order of the book."""
        return self.chapter["number"], self.chunk["number"], self.offset

    @property
    def place(self) -> Place:
        """Where that is in the source."""
        return place_of(self.chunk, self.offset)


def hits(
    known: Known, source: Path, line: int, text: str, *, within: bool, kind: str = "chapter"
) -> Iterator[Hit]:
    """Where a line begins or the words stand; or, `within`, a piece that holds the line."""
    for chapter in known.chapters(kind):
        for chunk in chapter["chunks"]:
            offsets = _words(chunk, source, text) if text else _line(chunk, source, line, within)
            for offset in offsets:
                yield Hit(known, chapter, chunk, offset)


def _line(chunk: dict[str, Any], source: Path, line: int, within: bool) -> Iterator[int]:
    places = [place for place in chunk["places"] if place[3] in (source.name, "")]
    for at, (offset, first, _, _) in enumerate(places):
        after = places[at + 1][1] if at + 1 < len(places) else first
        if first == line or (within and first < line < after):
            yield int(offset)


def _words(chunk: dict[str, Any], source: Path, words: str) -> Iterator[int]:
    """Where these words stand, whatever the marks between them."""
    bare = re.findall(r"[^\W_]+", words)
    pattern = r"[\W_]+".join(map(re.escape, bare)) or re.escape(words.strip())
    for found in re.finditer(pattern, chunk["text"], re.IGNORECASE) if pattern else ():
        if place_of(chunk, found.start()).source in (source.name, "") or not source.is_file():
            yield found.start()


def place_of(chunk: dict[str, Any], offset: int) -> Place:
    """Where a character of a chunk stands in the source."""
    places = chunk["places"]
    start, line, column, name = places[
        max(0, bisect_right(places, offset, key=lambda place: place[0]) - 1)
    ]
    return Place(name, line, column + offset - start if line else 0, "" if line else name)
