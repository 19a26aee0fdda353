"""Raw text made speakable, every character remembering where it came from.

A reader lays its source out in `Block`s (ranges of the source, in order) and hands them to
`paragraphs`, which cleans each one. Whatever of the source is not spoken becomes a `Skip` with
its reason; whatever lies outside all blocks and is not blank becomes one too. So the ledger of
a book adds up by construction: each character is spoken, skipped or blank.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from unicodedata import is_normalized

from tts_book.model import Run, Skip
from tts_book.text.inline_rules import INVISIBLE, Edit, inline_edits
from tts_book.text.source_map import TracedText, collapse_blanks, tidy_text


class Kind(StrEnum):
    """What a block of the source is."""

    PROSE = "prose"  # white space of any kind is one space
    VERSE = "verse"  # its line ends are kept
    HEADING = "heading"
    SCENE = "scene"  # a mark between scenes, never spoken
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Block:
    """Characters `start` to `stop` of the source, of one kind.

    `level` is that of a heading whose markup tells it (1 is the highest), else 0. `reason` says
    why a block is left out. `gap` counts the blank lines before it. A block that `goes_on` is a
    further line of the heading before it.
    """

    start: int
    stop: int
    kind: Kind = Kind.PROSE
    level: int = 0
    reason: str = ""
    gap: int = 0
    goes_on: bool = False

    @property
    def is_plain_line(self) -> bool:
        """Whether the line of a heading is a paragraph that was not marked as one."""
        return self.goes_on and self.kind is not Kind.HEADING


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A block made speakable. `text` is empty for what is not spoken; `skips` are in order."""

    text: str
    runs: tuple[Run, ...]
    skips: tuple[Skip, ...]
    block: Block

    @property
    def is_spoken(self) -> bool:
        return bool(self.text)


_LINE_ENDS = "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_SPACES = "\t\x1f\xa0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def unify_whitespace(source: str) -> str:
    """`source`, as long as before, with one kind of space and one kind of line end."""
    text = source.replace("\r\n", " \n")
    for end in _LINE_ENDS:
        text = text.replace(end, "\n")
    for space in _SPACES:
        text = text.replace(space, " ")
    return text


def make_paragraphs(
    source: str,
    blocks: Iterable[Block],
    edits: Sequence[Edit] = (),
    *,
    between: str = "invisible character",
) -> list[Paragraph]:
    """The blocks of `source` made speakable, in order.

    `edits` are a reader's own, in source characters; they go before what is found in the text.
    `between` is the reason given for characters outside all blocks.
    """
    flat = unify_whitespace(source)
    found = _without_overlaps([*edits, *inline_edits(flat)], len(edits))
    starts = [edit.start for edit in found]
    made: list[Paragraph] = []
    reached = 0
    for block in blocks:
        made.extend(_gap(source, reached, block.start, between))
        first, last = bisect_right(starts, block.start - 1), bisect_right(starts, block.stop - 1)
        made.append(_paragraph(source, flat, block, found[first:last]))
        reached = block.stop
    made.extend(_gap(source, reached, len(source), between))
    return made


def drop_paragraph(source: str, paragraph: Paragraph, reason: str) -> Paragraph:
    """`paragraph` not spoken after all: one skip for the whole of its block."""
    block = replace(paragraph.block, kind=Kind.LEFT_OUT, reason=reason)
    return Paragraph("", (), (_skip(source, block.start, block.stop, reason),), block)


def trim_paragraph(source: str, paragraph: Paragraph, ornaments: str) -> Paragraph:
    """`paragraph` without `ornaments` at either end, which are skipped."""
    text = paragraph.text
    start = len(text) - len(text.lstrip(ornaments))
    stop = len(text.rstrip(ornaments))
    if not start < stop or stop - start == len(text):
        return paragraph
    ends = (Edit(0, start, reason="ornament"), Edit(stop, len(text), reason="ornament"))
    return edit_paragraph(source, paragraph, ends)


def edit_paragraph(source: str, paragraph: Paragraph, edits: Sequence[Edit]) -> Paragraph:
    """`paragraph` after `edits`, which are in order, apart, and count its characters; what they
    give a reason for is skipped."""
    runs = paragraph.runs
    kept = TracedText(paragraph.text, runs).edit(edits)
    starts = [run.start for run in runs]
    skips = list(paragraph.skips)
    for edit in edits:
        at = max(0, bisect_right(starts, edit.start) - 1)
        while edit.reason and at < len(runs) and starts[at] < edit.stop:
            run = runs[at]
            first, last = max(run.start, edit.start), min(run.start + run.length, edit.stop)
            is_whole = not run.covers or last == run.start + run.length
            if first < last and is_whole and paragraph.text[first:last].strip():
                begin = run.source + (0 if run.covers else first - run.start)
                end = begin + (run.covers or last - first)
                skips.append(_skip(source, begin, end, edit.reason))
            at += 1
    return replace(paragraph, text=kept.text, runs=kept.runs, skips=tuple(sorted(skips, key=_at)))


def join_skips(source: str, skips: Iterable[Skip]) -> tuple[Skip, ...]:
    """The same skips, neighbours of one reason made one."""
    made: list[Skip] = []
    for skip in skips:
        last = made[-1] if made else None
        if last and last.reason == skip.reason and not source[last.stop : skip.start].strip():
            made[-1] = _skip(source, last.start, skip.stop, skip.reason)
        else:
            made.append(skip)
    return tuple(made)


def _at(skip: Skip) -> int:
    return skip.start


def _skip(source: str, start: int, stop: int, reason: str) -> Skip:
    return Skip(start, stop, reason, source[start:stop])


def _gap(source: str, start: int, stop: int, reason: str) -> Iterator[Paragraph]:
    rest = source[start:stop]
    if rest and not rest.isspace():
        start += len(rest) - len(rest.lstrip())
        stop -= len(rest) - len(rest.rstrip())
        block = Block(start, stop, Kind.LEFT_OUT, reason=reason)
        yield Paragraph("", (), (_skip(source, start, stop, reason),), block)


def _paragraph(source: str, flat: str, block: Block, edits: list[Edit]) -> Paragraph:
    if block.start == block.stop:
        return Paragraph("", (), (), block)
    if block.kind in (Kind.SCENE, Kind.LEFT_OUT):
        reason = block.reason or "scene mark"
        return Paragraph("", (), (_skip(source, block.start, block.stop, reason),), block)
    edits = [_within(edit, block) for edit in edits]
    traced = _cleaned(flat, block, edits)
    dropped = (edit for edit in edits if edit.reason and edit.start < edit.stop)
    skips = [_skip(source, edit.start, edit.stop, edit.reason) for edit in dropped]
    return Paragraph(traced.text, traced.runs, _apart(skips, traced.runs), block)


def _apart(skips: Sequence[Skip], runs: Iterable[Run]) -> tuple[Skip, ...]:
    """`skips` without those inside a letter that was composed across them: it covers them."""
    if not skips:
        return ()
    wide = [(run.source, run.source + run.covers) for run in runs if run.covers]
    starts = [start for start, _ in wide]
    return tuple(
        skip
        for skip in skips
        if not (at := bisect_right(starts, skip.start)) or skip.start >= wide[at - 1][1]
    )


def _within(edit: Edit, block: Block) -> Edit:
    return edit if edit.stop <= block.stop else replace(edit, stop=block.stop)


def _cleaned(flat: str, block: Block, edits: list[Edit]) -> TracedText:
    text = flat[block.start : block.stop]
    line_end = "\n" if block.kind is Kind.VERSE else " "
    if not edits and is_normalized("NFC", text):
        return collapse_blanks(text, block.start, line_end)
    traced = TracedText(text, (Run(0, block.start, len(text)),))
    shift = -block.start
    traced = traced.edit(Edit(e.start + shift, e.stop + shift, e.new, e.reason) for e in edits)
    return tidy_text(traced, line_end)


def _without_overlaps(edits: list[Edit], first_class: int) -> list[Edit]:
    """In order of start; of two that overlap, the reader's own or else the earlier one stays."""
    own = _in_turn(sorted(edits[:first_class], key=_outer_first))
    found = sorted(edits[first_class:], key=_start)
    kept: list[Edit] = []
    reached = at = 0
    for edit in found:
        while at < len(own) and own[at].start < edit.stop:
            start = max(edit.start, reached)
            if edit.reason == INVISIBLE and start < own[at].start:
                kept.append(replace(edit, start=start, stop=own[at].start))
            reached = max(reached, own[at].stop)
            at += 1
        if edit.reason == INVISIBLE and edit.start < reached < edit.stop:
            edit = replace(edit, start=reached)
        if edit.start >= reached:
            kept.append(edit)
            reached = edit.stop
    return sorted([*own, *kept], key=_start)


def _in_turn(edits: list[Edit]) -> list[Edit]:
    """Without those that begin before the one before them ends."""
    kept: list[Edit] = []
    for edit in edits:
        if not kept or edit.start >= kept[-1].stop:
            kept.append(edit)
    return kept


def _start(edit: Edit) -> int:
    return edit.start


def _outer_first(edit: Edit) -> tuple[int, bool, int]:
    """In order of start: first what is put in there, then the longest."""
    return edit.start, edit.start < edit.stop, -edit.stop
