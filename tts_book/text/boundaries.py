"""Which of many possible ends become the ends of chunks, decided by what stands near them.

Every possible end has a place (the load of everything before it) and a key (a local hash; lower
is better). Its *reach* is the way to the nearest end with a lower key, on the nearer side. An end
is taken if the nearest ends with a greater reach, one on each side, lie further apart than one
chunk may hold. That is the same as cutting everything that is too long at its end of greatest
reach, again and again; but said so, nothing counts from the start of the text. If one end comes,
goes or changes its key, only what lies between its two taken neighbours can change, and ends of
great reach lie far apart: so the chunks are neither large nor small, and an edit of one sentence
makes three of them new at most. On novels two edits in ten thousand make a fourth, none a fifth
(`benchmarks/sentences.py edits`): where a new strong end leaves a little more than one chunk on
both of its sides.

Text that repeats itself has ends without reach only. Such stretches are cut from their left.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

_LEAST_REACH = 1 / 6  # of what a chunk may hold
_MARGIN = 1 / 5  # an end without reach keeps this far from its neighbours, if it can
_STRETCH = 4  # more chunks than this without an end of some reach are cut from the left


def choose_boundaries(places: Sequence[int], keys: Sequence[float], limit: int) -> list[int]:
    """Indices of the ends that become ends of chunks, ascending; the last index is always one.

    `places[i]` is the load up to end i, ascending; a chunk holds at most `limit`, unless a single
    step between two ends is longer than that.
    """
    last = len(places) - 1
    reach = _reach(places, keys)
    able = [i for i, width in enumerate(reach) if width >= _LEAST_REACH * limit]
    left, right = _nearest_lower([-reach[i] for i in able], able, last)
    wide = [i for i, a, b in zip(able, left, right, strict=True) if _width(places, a, b) > limit]
    chosen = []
    for before, after in pairwise([-1, *wide, last]):
        if _width(places, before, after) > limit:
            chosen += _cut(places, keys, before, after, limit)
        chosen.append(after)
    return chosen


def _width(places: Sequence[int], before: int, after: int) -> int:
    return places[after] - (places[before] if before >= 0 else 0)


def _reach(places: Sequence[int], keys: Sequence[float]) -> list[int]:
    """The reach of every end but the last. The borders of the text count as lower than all."""
    last = len(places) - 1
    left, right = _nearest_lower(keys[:last], range(last), last)
    return [min(_width(places, left[i], i), _width(places, i, right[i])) for i in range(last)]


def _nearest_lower(
    keys: Sequence[float], ends: Sequence[int], last: int
) -> tuple[list[int], list[int]]:
    """For each of the ends the nearest one on its left with a key as low as its own or lower,
    and the nearest on its right with a lower one; -1 and `last` where there is none."""
    left, right = [-1] * len(ends), [last] * len(ends)
    waiting: list[int] = []
    for at, key in enumerate(keys):
        while waiting and keys[waiting[-1]] > key:
            right[waiting.pop()] = ends[at]
        if waiting:
            left[at] = ends[waiting[-1]]
        waiting.append(at)
    return left, right


def _cut(
    places: Sequence[int], keys: Sequence[float], before: int, after: int, limit: int
) -> list[int]:
    """Ends inside a stretch where none has any reach, ascending."""
    cuts: list[int] = []
    if _width(places, before, after) > _STRETCH * limit:
        while _width(places, before, after) > limit and after - before > 1:
            before = _next(places, keys, before, after, limit)
            cuts.append(before)
        return cuts
    waiting = [(before, after)]
    while waiting:
        before, after = waiting.pop()
        if _width(places, before, after) > limit and after - before > 1:
            cut = _best(places, keys, before, after, limit)
            cuts.append(cut)
            waiting += [(before, cut), (cut, after)]
    return sorted(cuts)


def _next(places: Sequence[int], keys: Sequence[float], before: int, after: int, limit: int) -> int:
    """The last of the best ends in the further half of what one chunk may hold from `before`."""
    best = before + 1
    for i in range(before + 1, after):
        width = _width(places, before, i)
        if width > limit:
            break
        if 2 * width < limit or 2 * _width(places, before, best) < limit or keys[i] <= keys[best]:
            best = i
    return best


def _best(places: Sequence[int], keys: Sequence[float], before: int, after: int, limit: int) -> int:
    """The best end between two others that makes no more chunks than needed, and no tiny one."""
    inner = range(before + 1, after)
    fewest = _chunks(_width(places, before, after), limit)
    few = [
        i
        for i in inner
        if _chunks(_width(places, before, i), limit) + _chunks(_width(places, i, after), limit)
        <= fewest
    ]
    apart = [
        i
        for i in few or inner
        if min(_width(places, before, i), _width(places, i, after)) >= _MARGIN * limit
    ]
    return min(apart or few or inner, key=keys.__getitem__)


def _chunks(width: int, limit: int) -> int:
    return -(-width // limit)
