"""What of a book is not read aloud, why, and where it stands: the answer of `plan --skipped`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

from tts_book.cli.progress import thousands
from tts_book.model import Book, Skip
from tts_book.text.coverage import by_reason, ink

_SHOWN = 60  # characters of what was left out


def lines(book: Book) -> Iterator[str]:
    """Every piece left out with its place, size and reason, then the sums."""
    yield book.title
    for chapter in book.chapters:
        for skip in chapter.skips:
            if size := ink(skip.text):
                place = chapter.origin.source.place(skip.start)
                yield f"{place}\t{thousands(size)}\t{skip.reason}\t{_shown(skip)}"
    for reason, size in by_reason(_all(book)).items():
        yield f"  {thousands(size):>9}  {reason}"
    yield f"  {_sum(book)}"


def json_lines(book: Book) -> Iterator[str]:
    """The same as JSON: a line for each piece with its whole text, then one with the sums."""
    for chapter in book.chapters:
        for skip in chapter.skips:
            place = str(chapter.origin.source.place(skip.start))
            size = ink(skip.text)
            entry = {"place": place, "characters": size, "reason": skip.reason, "text": skip.text}
            yield json.dumps(entry, ensure_ascii=False)
    yield json.dumps({"book": book.title, **asdict(book.ledger)}, ensure_ascii=False)


def summary(book: Book) -> str:
    """One line: what was left out, the most first; empty if it is nothing."""
    found = by_reason(_all(book))
    return ", ".join(f"{reason} {thousands(size)}" for reason, size in found.items())


def _all(book: Book) -> Iterator[Skip]:
    return (skip for chapter in book.chapters for skip in chapter.skips)


def _sum(book: Book) -> str:
    ledger = book.ledger
    spoken, skipped = thousands(ledger.spoken), thousands(ledger.skipped)
    sides = f"{spoken} spoken + {skipped} left out"
    if ledger.adds_up:
        return f"{sides} = all {thousands(ledger.source)} non-blank characters of the source"
    missing = thousands(abs(ledger.source - ledger.spoken - ledger.skipped))
    return f"{sides}, but the source has {thousands(ledger.source)}: {missing} are unaccounted for"


def _shown(skip: Skip) -> str:
    text = " ".join(skip.text[: 4 * _SHOWN].split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
