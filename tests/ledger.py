"""Which characters of a source nobody accounts for, one by one: the sum of a ledger may hide that
one is lost and another counted twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tts_book.model import Run, Skip


def find_ledger_gaps(
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
