"""The ledger of a book: every non-blank character of its source is spoken or left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tts_book.model import Chapter, Ledger, Skip


def make_ledger(source: str, chapters: Iterable[Chapter]) -> Ledger:
    """What became of the non-blank characters of `source`."""
    spoken = skipped = 0
    for chapter in chapters:
        runs = chapter.origin.runs
        spoken += sum(count_ink(source[r.source : r.source + (r.covers or r.length)]) for r in runs)
        skipped += sum(count_ink(skip.text) for skip in chapter.skips)
    return Ledger(count_ink(source), spoken, skipped)


def add_ledgers(ledgers: Iterable[Ledger]) -> Ledger:
    """The ledger of several sources together."""
    found = list(ledgers)
    return Ledger(
        sum(ledger.source for ledger in found),
        sum(ledger.spoken for ledger in found),
        sum(ledger.skipped for ledger in found),
    )


def count_by_reason(skips: Iterable[Skip]) -> dict[str, int]:
    """Non-blank characters left out for each reason, the most first."""
    sizes: Counter[str] = Counter()
    for skip in skips:
        sizes[skip.reason] += count_ink(skip.text)
    return {reason: size for reason, size in sizes.most_common() if size}


def count_ink(text: str) -> int:
    """Characters of `text` that are not blank."""
    return sum(map(len, text.split()))
