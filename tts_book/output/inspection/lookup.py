"""From sound to text and back: which chunk is heard at a time, and when a text is heard.

Everything comes from the record beside the output and from the marks in the cache.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace
from heapq import nsmallest
from pathlib import Path

from tts_book.cli.progress import hours
from tts_book.errors import UserError
from tts_book.output.inspection.heard import Found, heard, when
from tts_book.output.inspection.manifests import of_file, of_source
from tts_book.output.inspection.sought import Hit, hits
from tts_book.output.manifest import NAME
from tts_book.output.paths import SUFFIXES
from tts_book.synthesis.chunk_cache import Cache

MOST_PLACES = 20
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
    for known in of_file(output, cache):
        for chapter in known.chapters():
            if known.path.with_name(chapter["file"]) == output:
                _refuse_beyond(output, chapter["duration_ms"], at_ms)
                return heard(known, chapter, output, at_ms)
        if volume := known.volume(output):
            _refuse_beyond(output, volume["duration_ms"], at_ms)
            starts = volume["chapters"]
            at = max(0, bisect_right(starts, at_ms, key=lambda mark: mark[1]) - 1)
            number, start_ms, _ = starts[at]
            for chapter in known.chapters():
                if chapter["number"] == number:
                    return heard(known, chapter, output, at_ms, start_ms)
    raise UserError(_unknown(output))


def _unknown(output: Path) -> str:
    if output.is_dir():
        return f"{output} is a folder: name one of the audio files in it."
    if not output.exists():
        return f"{output} is not there: name an audio file that tts-book wrote."
    if output.suffix.lower() not in SUFFIXES:
        return f"{output} is no audio file: ask a text with --line N or --text WORDS."
    return (
        f"{output} has no record beside it ({NAME}): only files that tts-book wrote can be asked."
    )


def in_text(
    source: Path,
    folders: Sequence[Path],
    cache: Cache,
    *,
    line: int = 0,
    text: str = "",
    places: Iterable[Path] = (),
) -> Found:
    """When a line of the source, or some words of it, are heard, by the records in these folders
    and those about books at these `places`. Raises UserError."""
    known = of_source(source, folders, cache, places)
    if not known:
        raise UserError(_unconverted(source, folders))
    # A note that is read at its mark has come from far: lines on the way stand elsewhere.
    aside = None
    for within in (False, True):
        for each in known:
            found = _first(hits(each, source, line, text, within=within))
            if not found:
                continue
            moment = when(found[0])
            if moment.file.exists():
                elsewhere = tuple(hit.place for hit in found[1:]) if text else ()
                return replace(moment, elsewhere=elsewhere)
            aside = aside or moment
    if aside:
        return aside
    sought = f"line {line}" if line else f"“{text}”"
    for each in known:
        for hit in hits(each, source, line, text, within=True, kind="unwritten"):
            raise UserError(
                f"{source}: {sought} is in chunk {hit.chapter['number']}/{hit.chunk['number']}, "
                "whose chapter is not written yet: run the command of this book again."
            )
    raise UserError(
        f"{source}: {sought} is not in what was spoken: changed since, blank, or left out "
        "(tts-book plan --skipped shows that)."
    )


def _first(found: Iterable[Hit]) -> list[Hit]:
    """The first of them in the order of the book: a record has its chapters as they were done."""
    return nsmallest(MOST_PLACES, found, key=lambda hit: hit.order)


def _unconverted(source: Path, folders: Sequence[Path]) -> str:
    if not source.exists():
        return f"{source} is not there: name a text that was converted."
    if source.suffix.lower() in SUFFIXES:
        return f"{source} is no text: ask an audio file with a time (12:34)."
    looked = ", ".join(map(str, folders))
    return (
        f"No record of {source} was found in {looked}: convert it first, or say with -o where its "
        "files are."
    )


def _refuse_beyond(file: Path, duration_ms: int, at_ms: int) -> None:
    if at_ms > duration_ms:
        raise UserError(f"{file.name} ends at {hours(duration_ms)}, before {hours(at_ms)}.")
