"""A moment of a file and the words that are heard there, from a record and the marks in the cache.

A `chapter` and a `chunk` are as the record tells them.
"""

from __future__ import annotations

import shlex
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tts_book.model import Entry, Place
from tts_book.output.inspection.manifests import Known
from tts_book.output.inspection.sought import Hit, place_of
from tts_book.output.inspection.timing import nearest, timing, word_at
from tts_book.text.sentences import Splitter


@dataclass(frozen=True, slots=True)
class Found:
    """A moment of a file and the words that are heard there. `exact`: a mark of the word says so,
    else it is reckoned from lengths. `entry` is None where the sound of the file is not in the
    cache any more. `again`, given in the folder `cwd` (None: nobody knows), speaks it again.
    `elsewhere` are more places of the words that were sought."""

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
    cwd: Path | None
    pause: bool = False
    exact: bool = True
    elsewhere: tuple[Place, ...] = ()


def when(hit: Hit) -> Found:
    """When the words of a hit are heard."""
    known, chapter, chunk = hit.known, hit.chapter, hit.chunk
    entry = known.entry(chapter, chunk)
    pieces = _pieces(chapter, chunk)
    sound_ms, exact = timing(entry, chunk, pieces).moment(hit.offset)
    file, start_ms = known.file_of(chapter)
    at_ms = start_ms + nearest(pieces, sound_ms)
    return _found(hit, file, at_ms, entry, exact=exact)


def _pieces(chapter: dict[str, Any], chunk: dict[str, Any]) -> list[list[int]]:
    return [piece for piece in chapter["pieces"] if piece[0] == chunk["number"]]


def heard(
    known: Known, chapter: dict[str, Any], file: Path, time_in_file_ms: int, start_ms: int = 0
) -> Found:
    """What is heard at a time of a file in which the chapter begins at `start_ms`."""
    at_ms = time_in_file_ms - start_ms
    pieces = chapter["pieces"]
    at = max(0, bisect_right(pieces, at_ms, key=lambda piece: piece[1]) - 1)
    number, file_ms, piece_ms, length_ms = pieces[at]
    chunk = next(chunk for chunk in chapter["chunks"] if chunk["number"] == number)
    entry = known.entry(chapter, chunk)
    sound_ms = piece_ms + max(0, min(at_ms - file_ms, length_ms))
    offset, exact = timing(entry, chunk, _pieces(chapter, chunk)).offset(sound_ms)
    hit = Hit(known, chapter, chunk, offset)
    pause = at_ms - file_ms > length_ms
    return _found(hit, file, time_in_file_ms, entry, exact=exact, pause=pause)


def _found(
    hit: Hit, file: Path, at_ms: int, entry: Entry | None, *, exact: bool, pause: bool = False
) -> Found:
    known, chapter, chunk = hit.known, hit.chapter, hit.chunk
    run, text = known.run, chunk["text"]
    start, word = word_at(text, hit.offset)
    return Found(
        file,
        at_ms,
        run["title"],
        chapter["number"],
        chapter["title"],
        chunk["number"],
        place_of(chunk, start),
        _sentence(text, start, run["language"]),
        word,
        f"{chapter['voice']} ({chapter['backend']})",
        chunk["key"],
        entry,
        tuple(known.story(chapter["number"], chunk["number"])),
        _again(run, chapter, chunk["number"]),
        known.home,
        pause,
        exact,
    )


def _sentence(text: str, offset: int, language: str) -> str:
    """The sentence around a character, found as the chunker finds it."""
    start = text.rfind("\n\n", 0, offset + 1) + 2 if "\n\n" in text[: offset + 1] else 0
    stop = text.find("\n\n", offset)
    paragraph = text[start : stop if stop >= 0 else len(text)]
    for first, last in Splitter(language).spans(paragraph):
        if start + last > offset:
            return " ".join(paragraph[first:last].split())
    return " ".join(paragraph.split())


def _again(run: dict[str, Any], chapter: dict[str, Any], chunk: int) -> str:
    """The command that speaks a chunk again, "" where that cannot be told. A chapter that another
    voice has taken over is its own matter: the command names that voice."""
    if not run.get("command"):
        return ""
    command = run["command"]
    if chapter["voice"] != run["voice"].get("name"):
        command += f" --voice {shlex.quote(chapter['voice'])} --backend {chapter['backend']}"
    return f"{command} --redo {chapter['number']}/{chunk}"
