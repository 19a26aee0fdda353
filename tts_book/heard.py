"""A moment of a file and the words that are heard there, from a record and the marks in the cache.

`record` is the path of one, `chapter` and `chunk` are as it tells them.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tts_book.cache import Cache
from tts_book.model import Entry, Mark, Place
from tts_book.pacing import led_back
from tts_book.records import run_of, told
from tts_book.sentences import Splitter


@dataclass(frozen=True, slots=True)
class Found:
    """A moment of a file and the words that are heard there."""

    file: Path
    at_ms: int
    book: str
    chapter: int
    title: str
    chunk: int
    place: Place
    sentence: str
    word: str
    voice: str
    key: str
    entry: Entry | None
    story: tuple[dict[str, Any], ...]
    again: str
    cwd: Path
    pause: bool = False


def when(
    record: Path,
    chapter: dict[str, Any],
    chunk: dict[str, Any],
    offset: int,
    cache: Cache,
) -> Found:
    """When the character at `offset` of a chunk is heard."""
    entry = cache.get(chunk["key"])
    marks = [mark for mark in _marks(entry, chunk) if mark.stop > offset]
    sound_ms = min((mark.start_ms for mark in marks), default=0)
    if not marks and entry:
        sound_ms = round(entry.sound.duration_ms * offset / max(1, len(chunk["text"])))
    pieces = [piece for piece in chapter["pieces"] if piece[0] == chunk["number"]]
    at_ms = min((_in_file(piece, sound_ms) for piece in pieces), key=lambda pair: pair[1])[0]
    file, start_ms = _file_of(record, chapter)
    return _found(record, chapter, file, chunk, start_ms + max(0, at_ms), offset, entry)


def _in_file(piece: list[int], sound_ms: int) -> tuple[int, int]:
    """The file's time nearest to a moment of the chunk's sound, and how far off it is."""
    _, file_ms, start_ms, length_ms = piece
    inside_ms = min(max(sound_ms - start_ms, 0), length_ms)
    return file_ms + inside_ms, abs(start_ms + inside_ms - sound_ms)


def _file_of(record: Path, chapter: dict[str, Any]) -> tuple[Path, int]:
    """A file in which a chapter is heard, and the ms at which it begins there."""
    own = record.with_name(chapter["file"])
    for volume in told(record, "volume") if not own.exists() else ():
        for number, start_ms, _ in volume["chapters"]:
            if number == chapter["number"]:
                return Path(os.path.normpath(record.parent / volume["file"])), start_ms
    return own, 0


def heard(
    record: Path,
    chapter: dict[str, Any],
    file: Path,
    time_in_file_ms: int,
    cache: Cache,
    start_ms: int = 0,
) -> Found:
    """What is heard at a time of a file in which the chapter begins at `start_ms`."""
    at_ms = time_in_file_ms - start_ms
    pieces = chapter["pieces"]
    at = max(0, bisect_right(pieces, at_ms, key=lambda piece: piece[1]) - 1)
    number, file_ms, start_ms, length_ms = pieces[at]
    chunk = next(chunk for chunk in chapter["chunks"] if chunk["number"] == number)
    entry = cache.get(chunk["key"])
    sound_ms = start_ms + min(at_ms - file_ms, length_ms)
    offset = _said_at(entry, _marks(entry, chunk), sound_ms, len(chunk["text"]))
    pause = at_ms - file_ms > length_ms
    return _found(record, chapter, file, chunk, time_in_file_ms, offset, entry, pause=pause)


def _marks(entry: Entry | None, chunk: dict[str, Any]) -> list[Mark]:
    """The marks of a chunk's sound, in its text."""
    alignment = chunk.get("alignment", ())
    return [
        replace(mark, start=led_back(alignment, mark.start), stop=led_back(alignment, mark.stop))
        for mark in (entry.marks if entry else ())
    ]


def _said_at(entry: Entry | None, marks: Sequence[Mark], sound_ms: int, characters: int) -> int:
    """The character that is heard, by the marks if there are any, else by its share."""
    if entry is None:
        return 0
    begun = [mark for mark in marks if mark.start_ms <= sound_ms]
    if marks:
        return max(begun, key=_finest).start if begun else 0
    share = sound_ms / max(1, entry.sound.duration_ms)
    return min(characters - 1, max(0, int(characters * share)))


def _finest(mark: Mark) -> tuple[int, bool]:
    return mark.start_ms, mark.kind == "word"


def _found(
    record: Path,
    chapter: dict[str, Any],
    file: Path,
    chunk: dict[str, Any],
    at_ms: int,
    offset: int,
    entry: Entry | None,
    *,
    pause: bool = False,
) -> Found:
    run, text = run_of(record) or {}, chunk["text"]
    word = re.compile(r"\S+").search(text, offset)
    return Found(
        file,
        at_ms,
        run["title"],
        chapter["number"],
        chapter["title"],
        chunk["number"],
        _place(chunk, offset),
        _sentence(text, offset, run["language"]),
        word[0] if word else "",
        f"{chapter['voice']} ({chapter['backend']})",
        chunk["key"],
        entry,
        tuple(_story(record, chapter["number"], chunk["number"])),
        _again(run, chapter["number"], chunk["number"]),
        Path(run.get("cwd", "")),
        pause,
    )


def _place(chunk: dict[str, Any], offset: int) -> Place:
    places = chunk["places"]
    start, line, column, name = places[
        max(0, bisect_right(places, offset, key=lambda place: place[0]) - 1)
    ]
    return Place(name, line, column + offset - start if line else 0, "" if line else name)


def _sentence(text: str, offset: int, language: str) -> str:
    """The sentence around a character, found as the chunker finds it."""
    start = text.rfind("\n\n", 0, offset + 1) + 2 if "\n\n" in text[: offset + 1] else 0
    stop = text.find("\n\n", offset)
    paragraph = text[start : stop if stop >= 0 else len(text)]
    for first, last in Splitter(language).spans(paragraph):
        if start + last > offset:
            return " ".join(paragraph[first:last].split())
    return " ".join(paragraph.split())


def _again(run: dict[str, Any], chapter: int, chunk: int) -> str:
    """The command that speaks a chunk again, "" where that cannot be told."""
    return f"{run['command']} --redo {chapter}/{chunk}" if run.get("command") else ""


def _story(record: Path, chapter: int, chunk: int) -> Iterator[dict[str, Any]]:
    for event in told(record, "event"):
        if event.get("chapter") == chapter and event.get("chunk") == chunk:
            yield event
