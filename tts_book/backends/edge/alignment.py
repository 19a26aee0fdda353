"""Where in the text the service's words and sentences stand: fold both, walk with a cursor. Pure.

Folded text is letters and digits only, decomposed and case-folded, so that neither punctuation
nor stress, nor the service's own spelling of white space, matters. Numbers may be read out in
words that the text does not hold: such marks stay unplaced, and the walk goes on behind them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise, zip_longest

from tts_book.backends.edge.protocol import TICKS_PER_MS, Boundary
from tts_book.model import Mark

# A word that does not follow at once is looked for this far ahead on its own; farther away,
# it must come with the two words after it.
_NEAR_CHARS = 40
# The service counts ticks in 32 bits somewhere: after 429.5 s offsets start again
_OVERFLOW_TICKS = 1 << 32


@lru_cache(maxsize=4096)
def _fold_character(char: str) -> str:
    if "\uac00" <= char <= "\ud7a3":
        return char  # a Hangul syllable is one letter; decomposed it would count as two or three
    return "".join(c for c in unicodedata.normalize("NFKD", char.casefold()) if c.isalnum())


def fold(text: str) -> str:
    """The letters and digits of `text`."""
    return "".join(map(_fold_character, unicodedata.normalize("NFC", text)))


@dataclass(frozen=True, slots=True)
class Folded:
    """Folded text, the place in `text` of each of its characters, and where words begin."""

    text: str
    letters: str
    places: tuple[int, ...]
    starts: frozenset[int]

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """The characters of `text` that hold the letters `start` to `stop` (not empty)."""
        return self.places[start], self.places[stop - 1] + 1


def _begins_word(text: str, at: int) -> bool:
    if at == 0 or not _fold_character(text[at - 1]):
        return not (at and unicodedata.combining(text[at - 1]))
    # Han, kana, Thai and other scripts without spaces: a word may begin anywhere.
    return ord(text[at]) >= 0x0E00 and not 0x1E00 <= ord(text[at]) < 0x2E80


def folded(text: str) -> Folded:
    """Folds `text`, keeping the way back."""
    letters: list[str] = []
    places: list[int] = []
    starts: list[int] = []
    for at, char in enumerate(text):
        piece = _fold_character(char)
        if piece and _begins_word(text, at):
            starts.append(len(places))
        letters.append(piece)
        places.extend([at] * len(piece))
    return Folded(text, "".join(letters), tuple(places), frozenset(starts))


@dataclass(frozen=True, slots=True)
class Placed:
    """A boundary and the letters it covers; `stop` 0 where it has no place in the text."""

    boundary: Boundary
    start: int
    stop: int

    @property
    def found(self) -> bool:
        return self.stop > 0


def unwrapped(boundaries: Sequence[Boundary]) -> tuple[Boundary, ...]:
    """The boundaries with offsets that run on where the service's counter started again."""
    repaired: list[Boundary] = []
    added = last = 0
    for b in boundaries:
        while b.start + added < last - _OVERFLOW_TICKS // 2:
            added += _OVERFLOW_TICKS
        last = max(last, b.start + added)
        repaired.append(Boundary(b.kind, b.start + added, b.stop + added, b.text))
    return tuple(repaired)


def _find(within: Folded, said: str, following: Sequence[str], cursor: int) -> int:
    """Letter offset at or after `cursor` where `said` is heard; -1 if nowhere. `following` are the
    next two words that are marked: other marks may be lost, so the word may be a later one, or
    look like the beginning of a longer one."""
    letters, starts = within.letters, within.starts
    pair, triple = said + "".join(following[:1]), said + "".join(following)

    def is_whole(at: int) -> bool:
        return at + len(said) in starts or at + len(said) == len(letters)

    here = letters.startswith(said, cursor)
    if here and (is_whole(cursor) or letters.startswith(pair, cursor)):
        return cursor
    near: list[int] = []
    at = letters.find(said, cursor)
    while 0 <= at <= cursor + _NEAR_CHARS:
        if at in starts:
            near.append(at)
        at = letters.find(said, at + 1)
    for together in (triple, pair):
        for at in near:
            if together != said and letters.startswith(together, at):
                return at
    whole = [at for at in near if is_whole(at)]
    # A short word is anywhere; the last one that is marked has no others to be known by.
    if whole and (here or len(said) > 2 or not following):
        return whole[0]
    if len(following) > 1:
        at = letters.find(triple, cursor)
        while at >= 0 and at not in starts:
            at = letters.find(triple, at + 1)
        if at >= 0:
            return at
    return near[0] if near and (here or len(said) > 2) else -1


def place_marks(within: Folded, boundaries: Sequence[Boundary]) -> tuple[Placed, ...]:
    """Each boundary with its letters, as `place`: repeated ones once, in the order in which they
    came or in that of their times, whichever fits the text better. Marks without any text are
    those of its words, if there are as many."""
    distinct = tuple(dict.fromkeys(boundaries))
    if distinct and not any(fold(b.text) for b in distinct):
        return _place_by_number(within, distinct)
    came = place(within, unwrapped(distinct))
    if _found_letters(came) == len(within.letters):
        return came
    sorted_ones = place(within, sorted(distinct, key=lambda b: b.start))
    return sorted_ones if _found_letters(sorted_ones) > _found_letters(came) else came


def _found_letters(placed: Sequence[Placed]) -> int:
    return sum(p.stop - p.start for p in placed if p.found)


def _place_by_number(within: Folded, boundaries: Sequence[Boundary]) -> tuple[Placed, ...]:
    edges = [*sorted(within.starts), len(within.letters)]
    if len(edges) - 1 != len(boundaries):
        return ()
    spans = pairwise(edges)
    return tuple(Placed(b, start, stop) for b, (start, stop) in zip(boundaries, spans, strict=True))


def place(within: Folded, boundaries: Sequence[Boundary]) -> tuple[Placed, ...]:
    """Each boundary with its letters, in order; those that fold to nothing are left out."""
    named = [(b, fold(b.text)) for b in boundaries]
    named = [(b, said) for b, said in named if said]
    placed: list[Placed] = []
    cursor = 0
    for number, (boundary, said) in enumerate(named):
        following = [next_said for _, next_said in named[number + 1 : number + 3]]
        at = _find(within, said, following, cursor)
        if at < 0:
            placed.append(Placed(boundary, cursor, 0))
        else:
            cursor = at + len(said)
            placed.append(Placed(boundary, at, cursor))
    return tuple(placed)


_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]+[\"'»”’)\]]*(?=\s|$)|[。！？]+[」』”’）]*|\n\s*\n")


def find_sentences(text: str) -> list[tuple[int, int]]:
    """From where to where the sentences of a text stand."""
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    edges = [0, *ends, len(text)]
    return [(a, b) for a, b in pairwise(edges) if text[a:b].strip()]


def _mark(placed: Placed, within: Folded) -> Mark:
    start, stop = within.span(placed.start, placed.stop)
    begin = max(0, placed.boundary.start // TICKS_PER_MS)
    end = max(begin, placed.boundary.stop // TICKS_PER_MS)
    return Mark(placed.boundary.kind, begin, end, start, stop)


def _derived(text: str, words: Sequence[Mark], taken: Sequence[Mark]) -> list[Mark]:
    """Sentences of `text`, timed by their words, where no sentence of the service stands."""
    found: list[Mark] = []
    at = 0
    for start, stop in find_sentences(text):
        inside: list[Mark] = []
        while at < len(words) and words[at].start < stop:
            inside.append(words[at])
            at += 1
        if not inside:
            continue
        first, last = inside[0], inside[-1]
        if not any(mark.start < last.stop and first.start < mark.stop for mark in taken):
            visible = start + len(text[start:stop]) - len(text[start:stop].lstrip())
            visible_stop = visible + len(text[start:stop].strip())
            found.append(Mark("sentence", first.start_ms, last.stop_ms, visible, visible_stop))
    return found


def _in_order(marks: list[Mark]) -> list[Mark]:
    """Cuts a mark off where the next one begins: the service lets some overlap."""
    marks.sort(key=lambda mark: (mark.start, mark.start_ms))
    cut: list[Mark] = []
    for mark, after in zip_longest(marks, marks[1:]):
        stop_ms = mark.stop_ms if after is None else min(mark.stop_ms, after.start_ms)
        kept = max(mark.start_ms, stop_ms)
        cut.append(Mark(mark.kind, mark.start_ms, kept, mark.start, mark.stop))
    return cut


def marks_of(
    within: Folded, words: Sequence[Placed], sentences: Sequence[Placed]
) -> tuple[Mark, ...]:
    """Word and sentence marks of the text, by place; sentences without a mark are derived."""
    heard = _in_order([_mark(word, within) for word in words if word.found])
    told = [_mark(sentence, within) for sentence in sentences if sentence.found]
    whole = _in_order([*told, *_derived(within.text, heard, told)])
    return tuple(sorted([*whole, *heard], key=lambda mark: (mark.start, mark.kind)))
