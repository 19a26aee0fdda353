"""When the sentences of a reply are heard, where no marks show it: from silences and lengths.

Each end of a sentence should lie where as much speech has passed as its letters need; a long
silence near that place is its pause. The best choice of silences, in order, is a shortest path.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tts_book.backends.edge.alignment import Folded, find_sentences
from tts_book.backends.edge.mark_timing import Shape
from tts_book.model import Mark

_LEAST_PAUSE_S = 0.15
# How far from its place in the speech a sentence may end, and what a long pause is worth against
# that distance.
_REACH_S, _PAUSE_WORTH, _PAUSE_MOST_S = 4.0, 2.0, 1.2
_NO_PAUSE_COST = 1.0


def estimate_sentences(text: Folded, shape: Shape) -> tuple[Mark, ...]:
    """Marks of the sentences of the text, estimated."""
    spans = [s for s in find_sentences(text.text) if any(map(str.isalnum, text.text[s[0] : s[1]]))]
    if not spans or not shape.loud_s:
        return ()
    ends = _letters_before(text, [stop for _, stop in spans[:-1]])
    per_letter_s = shape.loud_s / max(1, len(text.letters))
    cuts = _choose_pauses([letters * per_letter_s for letters in ends], shape)
    edges = [(shape.begin_s, shape.begin_s), *cuts, (shape.end_s, shape.end_s)]
    made = []
    for (start, stop), (before, after) in zip(spans, pairwise(edges), strict=True):
        words = text.text[start:stop]
        begin = start + len(words) - len(words.lstrip())
        times = round(before[1] * 1_000), round(max(before[1], after[0]) * 1_000)
        made.append(Mark("sentence", *times, begin, begin + len(words.strip())))
    return tuple(made)


def _letters_before(text: Folded, ends: Sequence[int]) -> list[int]:
    counts, at = [], 0
    for end in ends:
        while at < len(text.places) and text.places[at] < end:
            at += 1
        counts.append(at)
    return counts


def _choose_pauses(wanted_s: Sequence[float], shape: Shape) -> list[tuple[float, float]]:
    """For each wanted amount of speech, from when to when the pause after it lies."""
    pauses = [
        (shape.loud_between(0, start), start, stop)
        for start, stop in shape.silences(_LEAST_PAUSE_S)
    ]
    best: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]  # by the pause that was taken last
    reached = [-1]
    for wanted in wanted_s:
        options: dict[int, tuple[float, tuple[int, ...]]] = {}
        for last, (cost, path) in zip(reached, best, strict=True):
            near = [
                (at, abs(spoken - wanted) - _PAUSE_WORTH * min(stop - start, _PAUSE_MOST_S))
                for at, (spoken, start, stop) in enumerate(pauses)
                if at > last and abs(spoken - wanted) <= _REACH_S
            ]
            for at, more in [*near, (last, _NO_PAUSE_COST)]:
                found = (cost + more, (*path, at if at > last else -1))
                if at not in options or found < options[at]:
                    options[at] = found
        reached, best = list(options), list(options.values())
    chosen = min(best)[1] if best else ()
    return [
        pauses[at][1:] if at >= 0 else (_moment(wanted, shape),) * 2
        for at, wanted in zip(chosen, wanted_s, strict=True)
    ]


def _moment(spoken_s: float, shape: Shape) -> float:
    """When so much has been spoken."""
    import numpy as np

    from tts_book.backends.edge.mark_timing import HOP_S

    return float(np.searchsorted(shape.summed, spoken_s / HOP_S)) * HOP_S
