"""When each word of a chunk is heard: by the marks in the cache, or estimated from lengths."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tts_book.audio.timeline import find_text_offset
from tts_book.model import Entry, Mark

# No language that parts words by spaces has longer ones; where none are parted, a mark says more.
_LONGEST_WORD = 40
_TOKEN = re.compile(r"\S+")
_SAYABLE = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Timing:
    """A chunk's sound: its `marks` (none where the engine gives none, or they are gone), its
    length, and how many characters it says."""

    marks: tuple[Mark, ...]
    length_ms: int
    characters: int

    def offset(self, sound_ms: int) -> tuple[int, bool]:
        """The character that is heard at a moment, and whether a mark of its word says so."""
        if not self.marks:
            return self._share(sound_ms, self.length_ms, 0, self.characters), False
        marks = self._words() or self.marks
        begun = [mark for mark in marks if mark.start_ms <= sound_ms]
        mark = max(begun or marks[:1], key=lambda mark: mark.start_ms)
        if mark.kind == "word" or not begun:
            return mark.start, True
        inside_ms, length_ms = sound_ms - mark.start_ms, mark.stop_ms - mark.start_ms
        return self._share(inside_ms, length_ms, mark.start, mark.stop), False

    def _words(self) -> list[Mark]:
        return [mark for mark in self.marks if mark.kind == "word"]

    def _share(self, inside_ms: int, length_ms: int, start: int, stop: int) -> int:
        at = start + (stop - start) * inside_ms // max(1, length_ms)
        return max(0, min(at, stop - 1, self.characters - 1))

    def moment(self, offset: int) -> tuple[int, bool]:
        """When a character is heard, in ms of the chunk's sound, and whether a mark of its word
        says so."""
        words = [mark for mark in self._words() if mark.stop > offset]
        if words:
            return min(mark.start_ms for mark in words), True
        later = [mark for mark in self.marks if mark.stop > offset]
        if not later:
            return round(self.length_ms * offset / max(1, self.characters)), False
        mark = min(later, key=lambda mark: mark.start)
        share = max(0, offset - mark.start) / max(1, mark.stop - mark.start)
        return round(mark.start_ms + share * (mark.stop_ms - mark.start_ms)), False


def timing(entry: Entry | None, chunk: dict[str, Any], pieces: Sequence[Sequence[int]]) -> Timing:
    """What is known of a chunk's sound, in its text: from its entry, else from its pieces in the
    file."""
    characters = len(chunk["text"])
    if entry is None:
        length_ms = max((start_ms + length_ms for *_, start_ms, length_ms in pieces), default=0)
        return Timing((), length_ms, characters)
    alignment = chunk.get("alignment", ())
    marks = tuple(
        replace(
            mark,
            start=find_text_offset(alignment, mark.start),
            stop=find_text_offset(alignment, mark.stop),
        )
        for mark in entry.marks
    )
    return Timing(marks, entry.sound.duration_ms, characters)


def word_at(text: str, offset: int) -> tuple[int, str]:
    """Where the word at a character begins, and the word; the next one, if there is none."""
    before = re.search(r"(?<!\S)\S*$", text[max(0, offset - _LONGEST_WORD) : offset])
    start = offset - len(before[0]) if before and len(before[0]) < _LONGEST_WORD else offset
    for token in _TOKEN.finditer(text, start):
        if token.end() > offset and _SAYABLE.search(token[0]):
            return token.start(), token[0]
    return offset, ""


def nearest(pieces: Sequence[Sequence[int]], sound_ms: int) -> int:
    """The time in the file that is nearest to a moment of the chunk's sound."""

    def in_file(piece: Sequence[int]) -> tuple[int, int]:
        _, file_ms, start_ms, length_ms = piece
        inside_ms = min(max(sound_ms - start_ms, 0), length_ms)
        return abs(start_ms + inside_ms - sound_ms), file_ms + inside_ms

    return max(0, min(map(in_file, pieces))[1])
