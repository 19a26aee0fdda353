"""Which of many possible ends become the ends of chunks, decided by what stands near them.

Every possible end has a place (the load of everything before it) and a key (lower is better, a
local hash). An end is *strong* if no end nearer than `STRONG` has a lower key. Among the strong
ones, an end is taken if its nearest neighbours with lower keys, one on each side, lie further
apart than one chunk may hold: so between two taken ends there is never more than that, except
where strong ends are missing for a long stretch, which is then cut by weaker ones. Nothing counts
from the start of the text. If one end comes, goes or changes its key, only the ends between its
two taken neighbours can change, and what replaces it is some hundred characters apart: an edit of
one sentence makes three chunks new at most, but for a few edits in ten thousand (see
benchmarks/chunks.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

STRONG = 1 / 3  # of what a chunk may hold
_FAIR = 4 / 15
_MARGIN = 1 / 5  # a weak end keeps this far from its neighbours, if it can
_STRETCH = 4  # more chunks than this without a strong end are cut from the left


def choose(places: Sequence[int], keys: Sequence[float], limit: int) -> list[int]:
    """Indices of the ends that become ends of chunks, ascending; the last index is always one.

    `places[i]` is the load up to end i, ascending; a chunk holds at most `limit`, unless a single
    step between two ends is longer than that.
    """
    radii = _radii(places, keys)
    strong = [i for i, radius in enumerate(radii) if radius >= STRONG * limit]
    taken = [-1, *_wide(places, keys, strong, limit), len(places) - 1]
    chosen = []
    for before, after in pairwise(taken):
        if _width(places, before, after) > limit:
            chosen += _cut(places, keys, radii, before, after, limit)
        chosen.append(after)
    return chosen


def _width(places: Sequence[int], before: int, after: int) -> int:
    return places[after] - (places[before] if before >= 0 else 0)


def _lower(keys: Sequence[float], chosen: Sequence[int], walls: tuple[int, int]) -> list[list[int]]:
    """For each chosen end the nearest on its left with a key as low, and on its right with a
    lower one; the walls where there is none."""
    left, right = [walls[0]] * len(chosen), [walls[1]] * len(chosen)
    waiting: list[int] = []
    for n, i in enumerate(chosen):
        while waiting and keys[chosen[waiting[-1]]] > keys[i]:
            right[waiting.pop()] = i
        if waiting:
            left[n] = chosen[waiting[-1]]
        waiting.append(n)
    return [left, right]


def _radii(places: Sequence[int], keys: Sequence[float]) -> list[int]:
    """How far each end is from the next lower key on its nearer side. The text's own ends are
    lower than all."""
    last = len(places) - 1
    left, right = _lower(keys, range(last), (-1, last))
    return [min(_width(places, left[i], i), _width(places, i, right[i])) for i in range(last)]


def _wide(
    places: Sequence[int], keys: Sequence[float], strong: Sequence[int], limit: int
) -> list[int]:
    """The strong ends whose nearest lower neighbours are further apart than the limit."""
    left, right = _lower(keys, strong, (-1, len(places) - 1))
    return [i for n, i in enumerate(strong) if _width(places, left[n], right[n]) > limit]


def _cut(
    places: Sequence[int],
    keys: Sequence[float],
    radii: Sequence[int],
    before: int,
    after: int,
    limit: int,
) -> list[int]:
    """Ends inside a stretch that has no strong ones, ascending."""
    cuts: list[int] = []
    while _width(places, before, after) > _STRETCH * limit:
        before = _next(places, keys, before, after, limit)
        cuts.append(before)
    waiting = [(before, after)]
    while waiting:
        before, after = waiting.pop()
        if _width(places, before, after) > limit and after - before > 1:
            cut = _best(places, keys, radii, before, after, limit)
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
        if 2 * width < limit or keys[i] <= keys[best] or 2 * _width(places, before, best) < limit:
            best = i
    return best


def _best(
    places: Sequence[int],
    keys: Sequence[float],
    radii: Sequence[int],
    before: int,
    after: int,
    limit: int,
) -> int:
    """The best end between two others: fairly strong, else one that makes no chunk more than
    needed, else any."""
    inner = range(before + 1, after)
    left = {i: _width(places, before, i) for i in inner}
    right = {i: _width(places, i, after) for i in inner}
    fewest = -(-_width(places, before, after) // limit)
    apart = [i for i in inner if min(left[i], right[i]) >= _MARGIN * limit]
    few = {i for i in inner if -(-left[i] // limit) - (-right[i] // limit) <= fewest}
    fair = [i for i in apart if radii[i] >= _FAIR * limit]
    choice = fair or [i for i in apart if i in few] or sorted(few) or apart or inner
    return min(choice, key=keys.__getitem__)
