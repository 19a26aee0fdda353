"""Notes of Markdown: where each `[^1]: …` stands, and after which paragraph it is read."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from tts_book.text.normalize import Block, Kind, Paragraph

_LABEL = re.compile(r" {0,3}\[\^([^\]\n]{1,30})\]:[ \t]*")
_MARK = re.compile(r"\[\^([^\]\n]{1,30})\]")
_FENCE = re.compile(r" {0,3}(?:```|~~~)")
_COMMENT = re.compile(r" {0,3}<!--(?!.*-->)")
_COMMENT_ENDS = re.compile("-->")
_BEGINS_A_BLOCK = re.compile(r" {0,3}(?:#{1,6} |>|[-*+] |\d{1,9}[.)] |(?:[-*_] ?){3})")
_start = attrgetter("start")


@dataclass(frozen=True, slots=True)
class MarkdownNote:
    """Characters `start` to `stop` of a source: the label of a note, and from `said` its words."""

    name: str
    start: int
    said: int
    stop: int


def find_notes(source: str, flat: str) -> Iterator[MarkdownNote]:
    """The notes of a text, in order; `flat` is `level(source)`. A note goes on over the lines
    right below it, and over indented ones after a blank."""
    opened: tuple[str, int, int] | None = None
    at = stop = 0
    closed_by: re.Pattern[str] | None = None  # inside code or a comment
    blank = False
    for line in flat.splitlines(keepends=True):
        label = None if closed_by else _LABEL.match(line)
        goes_on = source.startswith(("    ", "\t"), at) or not (
            blank or _FENCE.match(line) or _BEGINS_A_BLOCK.match(line)
        )
        if opened and (label or not (goes_on or line.isspace())):
            yield MarkdownNote(*opened, stop)
            opened = None
        if label:
            opened = label[1], at + line.index("["), at + label.end()
        elif closed_by:
            closed_by = None if closed_by.search(line) else closed_by
        elif not opened:
            closed_by = _hides(line)
        blank = line.isspace()
        at += len(line)
        stop = stop if blank else at - len(line) + len(line.rstrip())
    if opened:
        yield MarkdownNote(*opened, stop)


def _hides(line: str) -> re.Pattern[str] | None:
    """What ends the code or the comment that a line begins."""
    if _FENCE.match(line):
        return _FENCE
    return _COMMENT_ENDS if _COMMENT.match(line) else None


def blank_out_notes(flat: str, notes: Iterable[MarkdownNote]) -> str:
    """`flat` with its notes blank, as long as before."""
    pieces: list[str] = []
    at = 0
    for note in notes:
        pieces += (flat[at : note.start], re.sub(r"[^\n]", " ", flat[note.start : note.stop]))
        at = note.stop
    return "".join((*pieces, flat[at:]))


def drop_hidden_notes(notes: Iterable[MarkdownNote], blocks: Sequence[Block]) -> list[MarkdownNote]:
    """The notes that stand in none of the blocks, which are in order: a script may hold one."""
    stops = [0, *(block.stop for block in blocks)]
    return [n for n in notes if stops[bisect_right(blocks, n.start, key=_start)] <= n.start]


def find_marked_notes(
    flat: str, notes: Iterable[MarkdownNote], blocks: Iterable[Block]
) -> dict[int, list[MarkdownNote]]:
    """The notes by the start of the block that bears their first mark."""
    left = {note.name: note for note in reversed(list(notes))}
    found: dict[int, list[MarkdownNote]] = defaultdict(list)
    for block in blocks:
        if block.kind not in (Kind.LEFT_OUT, Kind.SCENE):
            for mark in _MARK.finditer(flat, block.start, block.stop):
                if note := left.pop(mark[1], None):
                    found[block.start].append(note)
    return dict(found)


def move_to_marks(
    paragraphs: Iterable[Paragraph], marks: dict[int, list[MarkdownNote]]
) -> Iterator[Paragraph]:
    """The paragraphs, those of each note after the one that bears its mark."""
    notes = sorted((note for found in marks.values() for note in found), key=_start)
    starts = [note.start for note in notes]
    moved: dict[int, list[Paragraph]] = defaultdict(list)
    body: list[Paragraph] = []
    for paragraph in paragraphs:
        at = bisect_right(starts, paragraph.block.start) - 1
        inside = at >= 0 and paragraph.block.start < notes[at].stop
        (moved[starts[at]] if inside else body).append(paragraph)
    for paragraph in body:
        yield paragraph
        for note in marks.get(paragraph.block.start, ()):
            yield from moved[note.start]
