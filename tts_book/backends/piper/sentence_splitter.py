"""Cuts a paragraph into pieces that Piper speaks well: sentences, and clauses of long ones.

Time and memory of the model grow faster than the text, so that no piece is longer than
`LONGEST_CHARACTERS`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

LONGEST_CHARACTERS = 400

# A clause or a blank is taken only in the last part of the room, not right at its start.
_LEAST_CHARACTERS = 120

_END = re.compile(
    r"[.!?…]{1,8}[\"'”’»)]{0,4}\s+(?=(?P<next>[\"'“‘«„(¿¡]{0,4}\S))"
    r"|[\u3002\uff01\uff1f][”\u300d\u300f]?"
)
_CLAUSES = (
    re.compile(r"[;:]\s"),
    re.compile(r"[,—)]\s|[\u3001\uff0c\uff1a\uff1b]"),
    re.compile(r"\s"),
)


class PartEnd(StrEnum):
    """What follows a piece."""

    CLAUSE = "clause"
    SENTENCE = "sentence"


@dataclass(frozen=True, slots=True)
class SentencePart:
    """Characters `start` to `stop` of a paragraph, without blanks at its ends."""

    start: int
    stop: int
    after: PartEnd


def split_paragraph(text: str, ordinal_points: bool = False) -> list[SentencePart]:
    """The pieces of a paragraph, in order; those in which nothing is to be said are left out.
    With `ordinal_points` a number and a point ("5. Mai") end no sentence."""
    sentences = _sentences(text, ordinal_points)
    return [piece for start, stop in sentences for piece in _parts(text, start, stop)]


def _sentences(text: str, ordinal_points: bool) -> Iterator[tuple[int, int]]:
    start = 0
    for found in _END.finditer(text):
        following = found["next"]
        if ordinal_points and text[max(0, found.start() - 1) : found.start()].isdigit():
            continue
        if following is None or not following[-1].islower():
            yield start, found.end()
            start = found.end()
    yield start, len(text)


def _parts(text: str, start: int, stop: int) -> Iterator[SentencePart]:
    while stop - start > LONGEST_CHARACTERS:
        cut = _cut(text, start)
        yield from _piece(text, start, cut, PartEnd.CLAUSE)
        start = cut
    yield from _piece(text, start, stop, PartEnd.SENTENCE)


def _cut(text: str, start: int) -> int:
    window = text[start : start + LONGEST_CHARACTERS]
    for signs in _CLAUSES:
        ends = [found.end() for found in signs.finditer(window, _LEAST_CHARACTERS)]
        if ends:
            return start + ends[-1]
    return start + LONGEST_CHARACTERS


def _piece(text: str, start: int, stop: int, after: PartEnd) -> Iterator[SentencePart]:
    said = text[start:stop]
    if any(map(str.isalnum, said)):
        first = start + len(said) - len(said.lstrip())
        yield SentencePart(first, first + len(said.strip()), after)
