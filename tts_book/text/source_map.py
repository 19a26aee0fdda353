"""Texts that know where each of their characters came from, through every change.

`TracedText` leads to the source of a book, `Rewriting` from what is sent to a chunk's text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from unicodedata import combining, decomposition, is_normalized, normalize

from tts_book.model import Run
from tts_book.text.inline_rules import Edit

_BLANKS = re.compile(r" *\n[ \n]*| {2,}|\A +| +\Z")


@dataclass(frozen=True, slots=True)
class TracedText:
    """A text whose `runs` lead its characters back to the source."""

    text: str
    runs: tuple[Run, ...]

    def edit(self, edits: Iterable[Edit]) -> TracedText:
        """The text after `edits`, which are in order, apart, and count this text's characters."""
        writer = _Writer(self)
        for edit in edits:
            writer.replace(edit)
        return writer.finish()


def tidy_text(traced: TracedText, line_end: str) -> TracedText:
    """`traced` in NFC, its white space single, its line ends written as `line_end`."""
    traced = _composed(traced)
    if not _has_blanks(traced.text):
        return traced
    return traced.edit(_blank_edits(traced.text, line_end))


def _has_blanks(text: str) -> bool:
    """Whether there is white space to normalise."""
    return "  " in text or "\n" in text or text[:1] == " " or text[-1:] == " "


def collapse_blanks(text: str, source: int, line_end: str) -> TracedText:
    """What `edit` would do with the white space of an unchanged piece of the source, faster."""
    if not _has_blanks(text):
        return TracedText(text, (Run(0, source, len(text)),) if text else ())
    pieces: list[str] = []
    runs: list[Run] = []
    at = length = 0
    for edit in [*_blank_edits(text, line_end), Edit(len(text), len(text))]:
        if edit.start > at:
            runs.append(Run(length, source + at, edit.start - at))
        pieces += (text[at : edit.start], edit.new)
        length += edit.start - at + len(edit.new)
        at = edit.stop
    return TracedText("".join(pieces), tuple(runs))


def _blank_edits(text: str, line_end: str) -> Iterator[Edit]:
    for match in _BLANKS.finditer(text):
        start, stop = match.span()
        inside = start > 0 and stop < len(text)
        new = (line_end if "\n" in match[0] else " ") if inside else ""
        yield Edit(start, stop, new)


def _composed(traced: TracedText) -> TracedText:
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


class _Writer:
    """Copies a traced text piece by piece, leading the runs along."""

    def __init__(self, old: TracedText) -> None:
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
            in_step = end - begin == len(new) == stop - start  # and nothing left out in between
            covers = 0 if in_step else end - begin
            self._add(Run(self._length, begin, len(new), covers))
        self._put(new)
        self._at = stop

    def finish(self) -> TracedText:
        self._keep(len(self._old.text))
        return TracedText("".join(self._pieces), tuple(self._runs))

    def _keep(self, stop: int) -> None:
        runs, start = self._old.runs, self._at
        shift = self._length - start
        while self._run < len(runs) and runs[self._run].start < stop:
            run = runs[self._run]
            a, b = max(run.start, start), min(run.start + run.length, stop)
            if a < b and not run.covers:
                self._add(Run(a + shift, run.source + a - run.start, b - a))
            elif a < b and b == run.start + run.length:
                # Where such a run is cut, its last part stands for all that it covers.
                self._add(Run(a + shift, run.source, b - a, run.covers))
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


# A text under change that remembers, for every character, what it stands for.


Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


class Rewriting:
    """`text` after some rules or edits, led back to the text it was made from.

    A character that one put in stands for all that it took away there.
    """

    __slots__ = ("_begins", "_ends", "_length", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._length = len(text)
        self._begins = list(range(len(text)))
        self._ends = list(range(1, len(text) + 1))

    def apply(self, rules: Iterable[Rule]) -> Rewriting:
        """Each rule in order, everywhere it matches. A rule that gives back what it took changes
        nothing."""
        for pattern, replacement in rules:
            self._replace(pattern, replacement)
        return self

    def source(self, start: int, stop: int) -> tuple[int, int]:
        """Where the characters `start` to `stop` (at least one) came from, as a span."""
        return self._begins[start], self._ends[stop - 1]

    def edit(self, edits: Iterable[Edit]) -> Rewriting:
        """Edits in order, apart, that count the characters of `text` as it is now."""
        text: list[str] = []
        begins: list[int] = []
        ends: list[int] = []
        kept = 0
        for edit in edits:
            text += (self.text[kept : edit.start], edit.new)
            begin, end = self._around(edit.start, edit.stop)
            begins += self._begins[kept : edit.start]
            begins += [begin] * len(edit.new)
            ends += self._ends[kept : edit.start]
            ends += [end] * len(edit.new)
            kept = edit.stop
        if text:
            self.text = "".join((*text, self.text[kept:]))
            self._begins = begins + self._begins[kept:]
            self._ends = ends + self._ends[kept:]
        return self

    @property
    def alignment(self) -> tuple[tuple[int, int], ...]:
        """Pairs of offsets, here and in the text it was made from, from which both run in step
        again; none where they do so from the start."""
        pairs: list[tuple[int, int]] = []
        at = reached = 0
        while at < len(self.text):
            begin, end = self._begins[at], self._ends[at]
            stop = at + 1
            while stop < len(self.text) and (self._begins[stop], self._ends[stop]) == (begin, end):
                stop += 1
            is_kept = end - begin == stop - at == 1
            if is_kept and begin > reached:  # something was left out before it
                pairs += ((at, reached), (at, begin))
            elif not is_kept:
                pairs += ((at, reached), (stop, end))
            at, reached = stop, end
        if reached < self._length:
            pairs += ((at, reached), (at, self._length))
        return tuple(pairs)

    def _replace(
        self, pattern: re.Pattern[str], replacement: Callable[[re.Match[str]], str]
    ) -> None:
        made = ((found, replacement(found)) for found in pattern.finditer(self.text))
        self.edit([Edit(*found.span(), new) for found, new in made if new != found.group()])

    def _around(self, start: int, stop: int) -> tuple[int, int]:
        if start < stop:
            return self._begins[start], self._ends[stop - 1]
        place = self._ends[start - 1] if start else 0
        return place, place
