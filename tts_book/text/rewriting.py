"""A text under change that remembers, for every character, what it stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from tts_book.text.inline_rules import Edit

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
