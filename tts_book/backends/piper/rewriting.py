"""A text under change that remembers, for every character, what it stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


class Rewriting:
    """`text` after some rules, led back to the text it was made from.

    A character that a rule put in stands for all that the rule took away there.
    """

    __slots__ = ("_begins", "_ends", "text")

    def __init__(self, text: str) -> None:
        self.text = text
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

    def _replace(
        self, pattern: re.Pattern[str], replacement: Callable[[re.Match[str]], str]
    ) -> None:
        text: list[str] = []
        begins: list[int] = []
        ends: list[int] = []
        kept = 0
        for found in pattern.finditer(self.text):
            new = replacement(found)
            if new == found.group():
                continue
            start, stop = found.span()
            text += (self.text[kept:start], new)
            begin, end = self._around(start, stop)
            begins += self._begins[kept:start]
            begins += [begin] * len(new)
            ends += self._ends[kept:start]
            ends += [end] * len(new)
            kept = stop
        if not text:
            return
        self.text = "".join((*text, self.text[kept:]))
        self._begins = begins + self._begins[kept:]
        self._ends = ends + self._ends[kept:]

    def _around(self, start: int, stop: int) -> tuple[int, int]:
        if start < stop:
            return self._begins[start], self._ends[stop - 1]
        place = self._ends[start - 1] if start else 0
        return place, place
