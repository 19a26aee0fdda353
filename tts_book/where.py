"""From sound to text and back: which chunk is heard at a time, and when a text is heard.

Everything comes from the record beside the output and from the marks in the cache.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from tts_book.cache import Cache
from tts_book.errors import UserError
from tts_book.model import Entry, Mark, Place
from tts_book.records import NAME, Lines, beside, read, told
from tts_book.sentences import Splitter

_TIME = re.compile(r"(?:(?:(\d+):)?(\d{1,3}):)?(\d+(?:\.\d+)?)")


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


def time_ms(text: str) -> int:
    """Milliseconds of "1:02:03.5", "12:34" or "90". Raises UserError."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise UserError(f'"{text}" is no time: give it as 1:23:45, 12:34 or seconds.')
    hours, minutes, seconds = found.groups()
    return round(1_000 * (3_600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds)))


def at_time(output: Path, at_ms: int, cache: Cache) -> Found:
    """What is heard in the file `output` at that time. Raises UserError."""
    for path in (beside(output, alone=True), beside(output, alone=False)):
        record = read(path)
        for chapter in record["chapter"]:
            if chapter["file"] == output.name:
                _refuse_beyond(output, chapter["duration_ms"], at_ms)
                return _heard(record, chapter, output, at_ms, cache)
    for path in _near(output):
        if volume := _volume(path, output):
            _refuse_beyond(output, volume["duration_ms"], at_ms)
            starts = volume["chapters"]
            at = max(0, bisect_right(starts, at_ms, key=lambda mark: mark[1]) - 1)
            number, start_ms, _ = starts[at]
            record = read(path)
            for chapter in record["chapter"]:
                if chapter["number"] == number:
                    return _heard(record, chapter, output, at_ms, cache, start_ms)
    raise UserError(
        f"{output} has no record beside it ({NAME}): only files that tts-book wrote can be asked."
    )


def in_text(
    source: Path, folders: list[Path], cache: Cache, *, line: int = 0, text: str = ""
) -> Found:
    """When a line of the source, or some words of it, are heard. Raises UserError."""
    known = [record for record in _records(folders) if _is_of(record[1], source)]
    if not known:
        raise UserError(
            f"No record of {source} was found in {', '.join(map(str, folders))}: convert it first, "
            "or say with -o where its files are."
        )
    matches = _matches(known, source, line, text)
    found = [_when(*match, cache) for match in matches]
    if found:
        return next((each for each in found if each.file.exists()), found[0])
    sought = f"line {line}" if line else f"“{text}”"
    if (unwritten := next(_matches(known, source, line, text, "unwritten"), None)) is not None:
        _, _, chapter, chunk, _ = unwritten
        raise UserError(
            f"{source}: {sought} is in chunk {chapter['number']}/{chunk['number']}, whose chapter "
            "is not written yet: run the command of this book again."
        )
    raise UserError(f"{source}: {sought} is not in what was spoken: left out, blank, or changed.")


def _matches(
    known: Sequence[tuple[Path, dict[str, Lines]]],
    source: Path,
    line: int,
    text: str,
    kind: str = "chapter",
) -> Iterator[tuple[Path, dict[str, Lines], dict[str, Any], dict[str, Any], int]]:
    """The first chunk of each record in which the line or the words stand, and where in it."""
    # A note that is read at its mark has come from far: lines on the way stand elsewhere.
    for within in (False, True):
        for path, record in known:
            places = (
                (path, record, chapter, chunk, offset)
                for chapter in record[kind]
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


def _file_of(record: Path, chapter: dict[str, Any]) -> tuple[Path, int]:
    """A file in which a chapter is heard, and the ms at which it begins there."""
    own = record.with_name(chapter["file"])
    for volume in told(record, "volume") if not own.exists() else ():
        for number, start_ms, _ in volume["chapters"]:
            if number == chapter["number"]:
                return Path(os.path.normpath(record.parent / volume["file"])), start_ms
    return own, 0


def _records(folders: list[Path]) -> Iterator[tuple[Path, dict[str, Lines]]]:
    for folder in folders:
        for pattern in (f"*{NAME}", f"*/{NAME}"):
            for path in sorted(folder.glob(pattern)):
                yield path, read(path)


def _is_of(record: dict[str, Lines], source: Path) -> bool:
    return any(run.get("source") == str(source.resolve()) for run in record["run"]) or any(
        run.get("source") == str(source.resolve().parent) for run in record["run"]
    )


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


def _when(
    path: Path,
    record: dict[str, Lines],
    chapter: dict[str, Any],
    chunk: dict[str, Any],
    offset: int,
    cache: Cache,
) -> Found:
    entry = cache.get(chunk["key"])
    marks = [mark for mark in entry.marks if mark.stop > offset] if entry else []
    sound_ms = min((mark.start_ms for mark in marks), default=0)
    if not marks and entry:
        sound_ms = round(entry.sound.duration_ms * offset / max(1, len(chunk["text"])))
    pieces = [piece for piece in chapter["pieces"] if piece[0] == chunk["number"]]
    at_ms = min((_in_file(piece, sound_ms) for piece in pieces), key=lambda pair: pair[1])[0]
    file, start_ms = _file_of(path, chapter)
    return _found(record, chapter, file, chunk, start_ms + max(0, at_ms), offset, entry)


def _in_file(piece: list[int], sound_ms: int) -> tuple[int, int]:
    """The file's time nearest to a moment of the chunk's sound, and how far off it is."""
    _, file_ms, start_ms, length_ms = piece
    inside_ms = min(max(sound_ms - start_ms, 0), length_ms)
    return file_ms + inside_ms, abs(start_ms + inside_ms - sound_ms)


def _refuse_beyond(file: Path, duration_ms: int, at_ms: int) -> None:
    if at_ms > duration_ms:
        raise UserError(f"{file.name} ends at {duration_ms / 1_000:.1f} s, before that time.")


def _heard(
    record: dict[str, Lines],
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
    offset = _said_at(entry, sound_ms, len(chunk["text"]))
    pause = at_ms - file_ms > length_ms
    return _found(record, chapter, file, chunk, time_in_file_ms, offset, entry, pause=pause)


def _said_at(entry: Entry | None, sound_ms: int, characters: int) -> int:
    """The character that is heard, by the marks if there are any, else by its share."""
    if entry is None:
        return 0
    begun = [mark for mark in entry.marks if mark.start_ms <= sound_ms]
    if entry.marks:
        return max(begun, key=_finest).start if begun else 0
    share = sound_ms / max(1, entry.sound.duration_ms)
    return min(characters - 1, max(0, int(characters * share)))


def _finest(mark: Mark) -> tuple[int, bool]:
    return mark.start_ms, mark.kind == "word"


def _found(
    record: dict[str, Lines],
    chapter: dict[str, Any],
    file: Path,
    chunk: dict[str, Any],
    at_ms: int,
    offset: int,
    entry: Entry | None,
    *,
    pause: bool = False,
) -> Found:
    run, text = record["run"][0], chunk["text"]
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


def _story(record: dict[str, Lines], chapter: int, chunk: int) -> Iterator[dict[str, Any]]:
    for event in record["event"]:
        if event.get("chapter") == chapter and event.get("chunk") == chunk:
            yield event
