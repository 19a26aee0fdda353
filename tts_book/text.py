"""Raw text made speakable, every character remembering where it came from.

A reader lays its source out in `Block`s (ranges of the source, in order) and hands them to
`paragraphs`, which cleans each one. Whatever of the source is not spoken becomes a `Skip` with
its reason; whatever lies outside all blocks and is not blank becomes one too. So the ledger of
a book adds up by construction: each character is spoken, skipped or blank.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from unicodedata import combining, decomposition, is_normalized, normalize

from tts_book.inline import Edit, inline_edits
from tts_book.model import Run, Skip


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
    why a block is left out. `gap` counts the blank lines before it.
    """

    start: int
    stop: int
    kind: Kind = Kind.PROSE
    level: int = 0
    reason: str = ""
    gap: int = 0


@dataclass(frozen=True, slots=True)
class Traced:
    """A text whose `runs` lead its characters back to the source."""

    text: str
    runs: tuple[Run, ...]

    def edit(self, edits: Iterable[Edit]) -> Traced:
        """The text after `edits`, which are in order, apart, and count this text's characters."""
        writer = _Writer(self)
        for edit in edits:
            writer.replace(edit)
        return writer.finish()


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
_BLANKS = re.compile(r" *\n[ \n]*| {2,}|\A +| +\Z")


def level(source: str) -> str:
    """`source`, as long as before, with one kind of space and one kind of line end."""
    text = source.replace("\r\n", " \n")
    for end in _LINE_ENDS:
        text = text.replace(end, "\n")
    for space in _SPACES:
        text = text.replace(space, " ")
    return text


def paragraphs(
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
    flat = level(source)
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


def ledger_gaps(
    source: str, runs: Iterable[Run], skips: Iterable[Skip]
) -> tuple[tuple[int, int], ...]:
    """Ranges of `source` that are neither spoken nor skipped, or both, or skipped twice.

    Blank characters may be anything. Empty means that the ledger adds up.
    """
    change = [0] * (len(source) + 1)
    for start, stop in _ranges(runs, skips):
        change[start] += 1
        change[stop] -= 1
    depth, wrong = 0, []
    for at, character in enumerate(source):
        depth += change[at]
        if depth != 1 and not character.isspace():
            wrong.append(at)
    return tuple(_joined(wrong))


def _ranges(runs: Iterable[Run], skips: Iterable[Skip]) -> Iterator[tuple[int, int]]:
    for run in runs:
        yield run.source, run.source + (run.covers or run.length)
    for skip in skips:
        yield skip.start, skip.stop


def _joined(positions: list[int]) -> Iterator[tuple[int, int]]:
    start = stop = -1
    for at in positions:
        if at != stop:
            if start >= 0:
                yield start, stop
            start = at
        stop = at + 1
    if start >= 0:
        yield start, stop


def left_out(source: str, paragraph: Paragraph, reason: str) -> Paragraph:
    """`paragraph` not spoken after all: one skip for the whole of its block."""
    block = replace(paragraph.block, kind=Kind.LEFT_OUT, reason=reason)
    return Paragraph("", (), (_skip(source, block.start, block.stop, reason),), block)


def trimmed(source: str, paragraph: Paragraph, ornaments: str) -> Paragraph:
    """`paragraph` without `ornaments` at either end, which are skipped."""
    text = paragraph.text
    start = len(text) - len(text.lstrip(ornaments))
    stop = len(text.rstrip(ornaments))
    if not start < stop or stop - start == len(text):
        return paragraph
    ends = Traced(text, paragraph.runs)
    kept = ends.edit([Edit(0, start), Edit(stop, len(text))])
    skips = list(paragraph.skips)
    for run in paragraph.runs:
        for a, b in ((0, start), (stop, len(text))):
            first, last = max(run.start, a), min(run.start + run.length, b)
            if first < last and text[first:last].strip():
                begin = run.source + first - run.start
                end = begin + (run.covers or last - first)
                skips.append(_skip(source, begin, end, "ornament"))
    return replace(paragraph, text=kept.text, runs=kept.runs, skips=tuple(sorted(skips, key=_at)))


def joined_skips(source: str, skips: Iterable[Skip]) -> tuple[Skip, ...]:
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
    if block.kind in (Kind.SCENE, Kind.LEFT_OUT):
        reason = block.reason or "scene mark"
        return Paragraph("", (), (_skip(source, block.start, block.stop, reason),), block)
    edits = [_within(edit, block) for edit in edits]
    traced = _cleaned(flat, block, edits)
    skips = [_skip(source, e.start, e.stop, e.reason) for e in edits if e.reason]
    return Paragraph(traced.text, traced.runs, _apart(skips, traced.runs), block)


def _apart(skips: Iterable[Skip], runs: Iterable[Run]) -> tuple[Skip, ...]:
    """`skips` without those inside a letter that was composed across them: it covers them."""
    wide = [(run.source, run.source + run.covers) for run in runs if run.covers]
    starts = [start for start, _ in wide]
    return tuple(
        skip
        for skip in skips
        if not (at := bisect_right(starts, skip.start)) or skip.start >= wide[at - 1][1]
    )


def _within(edit: Edit, block: Block) -> Edit:
    return edit if edit.stop <= block.stop else replace(edit, stop=block.stop)


def _cleaned(flat: str, block: Block, edits: list[Edit]) -> Traced:
    text = flat[block.start : block.stop]
    line_end = "\n" if block.kind is Kind.VERSE else " "
    if not edits and is_normalized("NFC", text):
        return _collapsed(text, block.start, line_end)
    traced = Traced(text, (Run(0, block.start, len(text)),))
    shift = -block.start
    traced = traced.edit(Edit(e.start + shift, e.stop + shift, e.new, e.reason) for e in edits)
    traced = _composed(traced)
    if not _has_blanks(traced.text):
        return traced
    return traced.edit(_blank_edits(traced.text, line_end))


def _has_blanks(text: str) -> bool:
    """Whether there is white space to mend."""
    return "  " in text or "\n" in text or text[:1] == " " or text[-1:] == " "


def _collapsed(text: str, source: int, line_end: str) -> Traced:
    """What `edit` would do with the white space of an unchanged piece of the source, faster."""
    if not _has_blanks(text):
        return Traced(text, (Run(0, source, len(text)),) if text else ())
    pieces: list[str] = []
    runs: list[Run] = []
    at = length = 0
    for edit in [*_blank_edits(text, line_end), Edit(len(text), len(text))]:
        if edit.start > at:
            runs.append(Run(length, source + at, edit.start - at))
        pieces += (text[at : edit.start], edit.new)
        length += edit.start - at + len(edit.new)
        at = edit.stop
    return Traced("".join(pieces), tuple(runs))


def _blank_edits(text: str, line_end: str) -> Iterator[Edit]:
    for match in _BLANKS.finditer(text):
        start, stop = match.span()
        inside = start > 0 and stop < len(text)
        new = (line_end if "\n" in match[0] else " ") if inside else ""
        yield Edit(start, stop, new)


def _composed(traced: Traced) -> Traced:
    """NFC, cluster by cluster, so that each knows the characters that it was made of."""
    if is_normalized("NFC", traced.text):
        return traced
    return traced.edit(_composing_edits(traced.text))


def _composing_edits(text: str) -> Iterator[Edit]:
    for word in re.finditer(r"\S+", text):
        if is_normalized("NFC", word[0]):
            continue
        start = word.start()
        for at in range(word.start() + 1, word.end() + 1):
            if at == word.end() or not _joins_previous(text[at]):
                cluster = text[start:at]
                new = normalize("NFC", cluster)
                if new != cluster:
                    yield Edit(start, at, new)
                start = at


def _joins_previous(character: str) -> bool:
    return bool(combining(character)) or character in _second_halves()


@cache
def _second_halves() -> frozenset[str]:
    """Letters that melt into the one before: Hangul vowels and finals, some Indian vowel signs."""
    pairs = (decomposition(chr(code)).split() for code in range(0xC0, 0x1F000))
    found = {chr(int(pair[1], 16)) for pair in pairs if len(pair) == 2 and pair[0][0] != "<"}
    return frozenset(found) | frozenset(map(chr, range(0x1160, 0x1200)))


def _without_overlaps(edits: list[Edit], first_class: int) -> list[Edit]:
    """In order of start; of two that overlap, the reader's own or else the earlier one stays."""
    own, found = sorted(edits[:first_class], key=_start), sorted(edits[first_class:], key=_start)
    kept: list[Edit] = []
    reached = at = 0
    for edit in found:
        while at < len(own) and own[at].start < edit.stop:
            reached = max(reached, own[at].stop)
            at += 1
        if edit.start >= reached:
            kept.append(edit)
            reached = edit.stop
    return sorted([*own, *kept], key=_start)


def _start(edit: Edit) -> int:
    return edit.start


class _Writer:
    """Copies a traced text piece by piece, leading the runs along."""

    def __init__(self, old: Traced) -> None:
        self._old = old
        self._at = 0  # characters of the old text already copied or replaced
        self._run = 0  # the first old run that may still matter
        self._pieces: list[str] = []
        self._runs: list[Run] = []
        self._length = 0

    def replace(self, edit: Edit) -> None:
        start, stop, new = edit.start, edit.stop, edit.new
        self._keep(start)
        first, last = self._source(start), self._source(stop - 1)
        if new and not new.isspace() and not edit.reason and first and last:
            begin, end = first[0], last[1]
            covers = 0 if end - begin == len(new) else end - begin
            self._add(Run(self._length, begin, len(new), covers))
        self._put(new)
        self._at = stop

    def finish(self) -> Traced:
        self._keep(len(self._old.text))
        return Traced("".join(self._pieces), tuple(self._runs))

    def _keep(self, stop: int) -> None:
        runs, start = self._old.runs, self._at
        shift = self._length - start
        while self._run < len(runs) and runs[self._run].start < stop:
            run = runs[self._run]
            a, b = max(run.start, start), min(run.start + run.length, stop)
            if a < b:
                covers = run.covers if run.covers and b - a == run.length else 0
                self._add(Run(a + shift, run.source + a - run.start, b - a, covers))
            if run.start + run.length > stop:
                break
            self._run += 1
        self._put(self._old.text[start:stop])
        self._at = stop

    def _source(self, position: int) -> tuple[int, int] | None:
        """Where the source characters of the old text's character begin and end."""
        runs = self._old.runs
        at = bisect_right(runs, position, key=lambda run: run.start) - 1
        if at < 0 or position >= runs[at].start + runs[at].length:
            return None
        run = runs[at]
        if run.covers:
            return run.source, run.source + run.covers
        begin = run.source + position - run.start
        return begin, begin + 1

    def _add(self, run: Run) -> None:
        last = self._runs[-1] if self._runs else None
        if last and not last.covers and not run.covers:
            step = last.length
            if last.start + step == run.start and last.source + step == run.source:
                self._runs[-1] = Run(last.start, last.source, step + run.length)
                return
        self._runs.append(run)

    def _put(self, piece: str) -> None:
        if piece:
            self._pieces.append(piece)
            self._length += len(piece)
