"""From sound to text and back: which chunk is heard at a time, and when a text is heard.

Everything comes from the record beside the output and from the marks in the cache.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from tts_book.cache import Cache
from tts_book.errors import UserError
from tts_book.heard import Found, heard, when
from tts_book.records import NAME, beside, run_of, told

_TIME = re.compile(r"(?:(?:(\d+):)?(\d{1,3}):)?(\d+(?:\.\d+)?)")


def time_ms(text: str) -> int:
    """Milliseconds of "1:02:03.5", "12:34" or "90". Raises UserError."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise UserError(f'"{text}" is no time: give it as 1:23:45, 12:34 or seconds.')
    hours, minutes, seconds = found.groups()
    return round(1_000 * (3_600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds)))


def at_time(output: Path, at_ms: int, cache: Cache) -> Found:
    """What is heard in the file `output` at that time. Raises UserError."""
    for record in filter(run_of, (beside(output, alone=True), beside(output, alone=False))):
        for chapter in told(record, "chapter"):
            if chapter["file"] == output.name:
                _refuse_beyond(output, chapter["duration_ms"], at_ms)
                return heard(record, chapter, output, at_ms, cache)
    for record in filter(run_of, _near(output)):
        if volume := _volume(record, output):
            _refuse_beyond(output, volume["duration_ms"], at_ms)
            starts = volume["chapters"]
            at = max(0, bisect_right(starts, at_ms, key=lambda mark: mark[1]) - 1)
            number, start_ms, _ = starts[at]
            for chapter in told(record, "chapter"):
                if chapter["number"] == number:
                    return heard(record, chapter, output, at_ms, cache, start_ms)
    raise UserError(
        f"{output} has no record beside it ({NAME}): only files that tts-book wrote can be asked."
    )


def in_text(
    source: Path, folders: list[Path], cache: Cache, *, line: int = 0, text: str = ""
) -> Found:
    """When a line of the source, or some words of it, are heard. Raises UserError."""
    known = [record for record in _records(folders) if _is_of(record, source)]
    if not known:
        raise UserError(
            f"No record of {source} was found in {', '.join(map(str, folders))}: convert it first, "
            "or say with -o where its files are."
        )
    first = None
    for match in _matches(known, source, line, text):
        found = when(*match, cache)
        if found.file.exists():
            return found
        first = first or found
    if first:
        return first
    sought = f"line {line}" if line else f"“{text}”"
    if (unwritten := next(_matches(known, source, line, text, "unwritten"), None)) is not None:
        _, chapter, chunk, _ = unwritten
        raise UserError(
            f"{source}: {sought} is in chunk {chapter['number']}/{chunk['number']}, whose chapter "
            "is not written yet: run the command of this book again."
        )
    raise UserError(f"{source}: {sought} is not in what was spoken: left out, blank, or changed.")


def _matches(
    known: Sequence[Path], source: Path, line: int, text: str, kind: str = "chapter"
) -> Iterator[tuple[Path, dict[str, Any], dict[str, Any], int]]:
    """The first chunk of each record in which the line or the words stand, and where in it."""
    # A note that is read at its mark has come from far: lines on the way stand elsewhere.
    for within in (False, True):
        for record in known:
            places = (
                (record, chapter, chunk, offset)
                for chapter in told(record, kind)
                for chunk in chapter["chunks"]
                if (offset := _offset(chunk, source, line, text, within=within)) is not None
            )
            yield from islice(places, 1)


def _near(output: Path) -> Iterator[Path]:
    """The records that may tell of a whole-book file."""
    yield beside(output, alone=True)
    for pattern in (f"*{NAME}", f"*/{NAME}"):
        yield from sorted(output.parent.glob(pattern))


def _volume(record: Path, output: Path) -> dict[str, Any] | None:
    """What a record tells of a whole-book file."""
    for volume in told(record, "volume"):
        if (record.parent / volume["file"]).resolve() == output.resolve():
            return volume
    return None


def _records(folders: list[Path]) -> Iterator[Path]:
    for folder in folders:
        for pattern in (f"*{NAME}", f"*/{NAME}"):
            yield from sorted(folder.glob(pattern))


def _is_of(record: Path, source: Path) -> bool:
    run, resolved = run_of(record), source.resolve()
    return run is not None and run["source"] in (str(resolved), str(resolved.parent))


def _offset(
    chunk: dict[str, Any], source: Path, line: int, text: str, *, within: bool
) -> int | None:
    """Where in a chunk the words stand, or the line begins; or, `within`, a piece that holds it."""
    if text:
        return _words_at(chunk["text"], text)
    places = [place for place in chunk["places"] if place[3] in (source.name, "")]
    for at, (offset, first, _, _) in enumerate(places):
        after = places[at + 1][1] if at + 1 < len(places) else first
        if first == line or (within and first < line < after):
            return int(offset)
    return None


def _words_at(text: str, words: str) -> int | None:
    pattern = r"\s+".join(map(re.escape, words.split()))
    found = re.search(pattern, text, re.IGNORECASE) if pattern else None
    return found.start() if found else None


def _refuse_beyond(file: Path, duration_ms: int, at_ms: int) -> None:
    if at_ms > duration_ms:
        raise UserError(f"{file.name} ends at {duration_ms / 1_000:.1f} s, before that time.")
