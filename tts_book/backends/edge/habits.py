"""What is learned of a voice while it speaks, so that the checks can be stricter."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import median

from tts_book.backends.edge.alignment import Folded, Placed
from tts_book.backends.edge.reply_checks import (
    SHORT_WORD_CHARS,
    TAIL_DEVIATIONS,
    TAIL_SAMPLES,
    TAIL_SPREAD_LEAST_S,
    TAIL_SPREAD_S,
)


class Habits:
    """What is learned of one voice from its replies: its tail, and the short words it marks."""

    def __init__(self) -> None:
        self._tails: list[float] = []
        self._marked: set[str] = set()
        self._unmarked: set[str] = set()

    def learn_tail(self, tail_s: float) -> None:
        """Adds a whole reply's tail; the newest hundred count."""
        self._tails.append(tail_s)
        del self._tails[:-100]

    def learn_words(self, text: Folded, words: Sequence[Placed]) -> None:
        """Takes notice of the short words that have marks of their own, and of those without."""
        heard = {text.letters[w.start : w.stop] for w in words if w.found}
        self._marked |= {word for word in heard if len(word) <= SHORT_WORD_CHARS}
        edges = [*sorted(text.starts), len(text.letters)]
        said = {text.letters[a:b] for a, b in pairwise(edges) if b - a <= SHORT_WORD_CHARS}
        self._unmarked |= said - heard

    @property
    def tail_s(self) -> float | None:
        """The usual tail, once enough replies were seen."""
        return median(self._tails) if len(self._tails) >= TAIL_SAMPLES else None

    @property
    def tail_spread_s(self) -> float:
        """How far a tail may lie from the usual one: some times the middle deviation that this
        voice has shown, so that a steady voice is held to it, and a restless one is not."""
        usual = self.tail_s
        if usual is None:
            return TAIL_SPREAD_S
        middle = median(abs(tail - usual) for tail in self._tails)
        return min(TAIL_SPREAD_S, max(TAIL_SPREAD_LEAST_S, TAIL_DEVIATIONS * middle))

    @property
    def unmarked(self) -> frozenset[str]:
        """Short words that were spoken before and never marked by themselves."""
        return frozenset(self._unmarked - self._marked)
