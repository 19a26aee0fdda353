"""From sound to text and back: which chunk is heard at a time, and when a text is heard.

Everything comes from the record beside the output and from the marks in the cache.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tts_book.audio.timeline import find_text_offset
from tts_book.errors import UserError
from tts_book.events import format_duration, quote_command
from tts_book.model import Entry, Mark, Place
from tts_book.output.manifest import (
    NAME,
    Manifest,
    manifests_of_file,
    manifests_of_place,
    manifests_of_source,
)
from tts_book.output.paths import SUFFIXES
from tts_book.synthesis.chunk_cache import ChunkCache
from tts_book.text.sentences import Splitter


@dataclass(frozen=True, slots=True)
class Hit:
    """Words in a chunk of a record, from `offset` of its text."""

    known: Manifest
    chapter: dict[str, Any]
    chunk: dict[str, Any]
    offset: int

    @property
    def order(self) -> tuple[int, int, int]:
        """Where that is in the order of the book."""
        return self.chapter["number"], self.chunk["number"], self.offset

    @property
    def place(self) -> Place:
        """Where that is in the source."""
        return place_of(self.chunk, self.offset)


def find_hits(
    known: Manifest, source: Path, line: int, text: str, *, within: bool, kind: str = "chapter"
) -> Iterator[Hit]:
    """Where a line begins or the words stand; or, `within`, a piece that holds the line."""
    for chapter in known.chapters(kind):
        for chunk, following in zip_longest(chapter["chunks"], chapter["chunks"][1:]):
            behind = following["text"] if following else ""
            offsets = (
                _words(chunk, behind, source, text) if text else _line(chunk, source, line, within)
            )
            for offset in offsets:
                yield Hit(known, chapter, chunk, offset)


def _line(chunk: dict[str, Any], source: Path, line: int, within: bool) -> Iterator[int]:
    places = [place for place in chunk["places"] if _is_name_of(place[3], source)]
    for at, (offset, first, _, _) in enumerate(places):
        after = places[at + 1][1] if at + 1 < len(places) else first
        if first == line or (within and first < line < after):
            yield int(offset)


def _is_name_of(name: str, source: Path) -> bool:
    """Whether places with this name are in a file: those of a folder's texts begin with the
    folder."""
    return name in (source.name, "") or source.resolve().as_posix().endswith(f"/{name}")


def _words(chunk: dict[str, Any], behind: str, source: Path, words: str) -> Iterator[int]:
    """Where these words begin in a chunk, whatever the marks between them; they may end in the
    text `behind` it."""
    bare = re.findall(r"[^\W_]+", words)
    pattern = r"[\W_]+".join(map(re.escape, bare)) or re.escape(words.strip())
    text = chunk["text"]
    for found in re.finditer(pattern, f"{text}\n\n{behind}", re.IGNORECASE) if pattern else ():
        if found.start() >= len(text):
            return
        name = place_of(chunk, found.start()).source
        if not _is_text(source) or _is_name_of(name, source):
            yield found.start()


def _is_text(source: Path) -> bool:
    """Whether the words are sought in one text, not in a folder or in a written file."""
    return source.is_file() and source.suffix.lower() not in SUFFIXES


def place_of(chunk: dict[str, Any], offset: int) -> Place:
    """Where a character of a chunk stands in the source."""
    places = chunk["places"]
    start, line, column, name = places[
        max(0, bisect_right(places, offset, key=lambda place: place[0]) - 1)
    ]
    return Place(name, line, column + offset - start if line else 0, "" if line else name)


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


def _find_moment(hit: Hit) -> Found:
    """When the words of a hit are heard."""
    known, chapter, chunk = hit.known, hit.chapter, hit.chunk
    entry = known.entry(chapter, chunk)
    pieces = _pieces(chapter, chunk)
    sound_ms, exact = read_timing(entry, chunk, pieces).moment(hit.offset)
    file, start_ms = known.file_of(chapter)
    at_ms = start_ms + nearest_ms(pieces, sound_ms)
    return _found(hit, file, at_ms, entry, exact=exact)


def _pieces(chapter: dict[str, Any], chunk: dict[str, Any]) -> list[list[int]]:
    return [piece for piece in chapter["pieces"] if piece[0] == chunk["number"]]


def _find_words(
    known: Manifest, chapter: dict[str, Any], file: Path, time_in_file_ms: int, start_ms: int = 0
) -> Found:
    """What is heard at a time of a file in which the chapter begins at `start_ms`."""
    at_ms = time_in_file_ms - start_ms
    pieces = chapter["pieces"]
    at = max(0, bisect_right(pieces, at_ms, key=lambda piece: piece[1]) - 1)
    number, file_ms, piece_ms, length_ms = pieces[at]
    chunk = next(chunk for chunk in chapter["chunks"] if chunk["number"] == number)
    entry = known.entry(chapter, chunk)
    sound_ms = piece_ms + max(0, min(at_ms - file_ms, length_ms))
    offset, exact = read_timing(entry, chunk, _pieces(chapter, chunk)).offset(sound_ms)
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
        _describe_reader(chapter, chunk),
        chunk["key"],
        entry,
        tuple(known.story(chapter["number"], chunk["number"])),
        redo_command(run, chapter, chunk["number"]),
        known.home,
        pause,
        exact,
    )


def _describe_reader(chapter: dict[str, Any], chunk: dict[str, Any]) -> str:
    reader = chunk if "voice" in chunk else chapter
    role = f", {chunk['role']}" if "role" in chunk else ""
    return f"{reader['voice']} ({reader['backend']}{role})"


def _sentence(text: str, offset: int, language: str) -> str:
    """The sentence around a character, found as the chunker finds it."""
    start = text.rfind("\n\n", 0, offset + 1) + 2 if "\n\n" in text[: offset + 1] else 0
    stop = text.find("\n\n", offset)
    paragraph = text[start : stop if stop >= 0 else len(text)]
    for first, last in Splitter(language).spans(paragraph):
        if start + last > offset:
            return " ".join(paragraph[first:last].split())
    return " ".join(paragraph.split())


def redo_command(run: dict[str, Any], chapter: dict[str, Any], chunk: int) -> str:
    """The command that speaks a chunk again, "" where that cannot be told. A chapter that another
    voice has taken over is its own matter: the command names that voice."""
    if not run.get("command"):
        return ""
    command = run["command"]
    if chapter["voice"] != run["voice"].get("name"):
        command += f" --voice {quote_command([chapter['voice']])} --backend {chapter['backend']}"
    return f"{command} --redo {chapter['number']}/{chunk}"


MOST_PLACES = 20
_TIME = re.compile(r"(?:(?:(\d+):)?(\d{1,3}):)?(\d+(?:\.\d+)?)")


def parse_time_ms(text: str) -> int:
    """Milliseconds of "1:02:03.5", "12:34" or "90". Raises UserError."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise UserError(f'"{text}" is not a time: give it as 1:23:45, 12:34 or seconds.')
    hours, minutes, seconds = found.groups()
    return round(1_000 * (3_600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds)))


def find_words_at(output: Path, at_ms: int, cache: ChunkCache) -> Found:
    """What is heard in the file `output` at that time. Raises UserError."""
    for known in manifests_of_file(output, cache):
        for chapter in known.chapters():
            if known.folder / chapter["file"] == output:
                _refuse_beyond(output, chapter["duration_ms"], at_ms)
                return _find_words(known, chapter, output, at_ms)
        if volume := known.volume(output):
            _refuse_beyond(output, volume["duration_ms"], at_ms)
            starts = volume["chapters"]
            at = max(0, bisect_right(starts, at_ms, key=lambda mark: mark[1]) - 1)
            number, start_ms, _ = starts[at]
            for chapter in known.chapters():
                if chapter["number"] == number:
                    return _find_words(known, chapter, output, at_ms, start_ms)
    raise UserError(_unknown(output))


def _unknown(output: Path) -> str:
    if output.is_dir():
        return f"{output} is a folder: name one of the audio files in it."
    if not output.exists():
        return f"{output} is not there: name an audio file that tts-book wrote."
    if output.suffix.lower() not in SUFFIXES:
        return f"{output} is not an audio file: for a text, add --line N or --text WORDS."
    return (
        f"{output} has no record beside it ({NAME}): only files that tts-book wrote can be asked."
    )


def find_time_of(
    source: Path,
    folders: Sequence[Path],
    cache: ChunkCache,
    *,
    line: int = 0,
    text: str = "",
    places: Iterable[Path] = (),
) -> Found:
    """When a line of the source, or some words of it, are heard, by the records in these folders
    and those about books at these `places`. Words are also found in a written file, or a folder of
    them. Raises UserError."""
    known = manifests_of_source(source, folders, cache, places)
    if not known and text and source.exists() and not _is_text(source):
        known = list(manifests_of_place(source, cache))
    if not known:
        raise UserError(_unconverted(source, folders))
    # A note that is read at its mark has come from far: lines on the way stand elsewhere.
    aside = None
    for within in (False, True):
        for each in known:
            found = _first(find_hits(each, source, line, text, within=within))
            if not found:
                continue
            moment = _find_moment(found[0])
            if moment.file.exists():
                elsewhere = tuple(hit.place for hit in found[1:]) if text else ()
                return replace(moment, elsewhere=elsewhere)
            aside = aside or moment
    if aside:
        return aside
    sought = f"line {line}" if line else f"“{text}”"
    for each in known:
        for hit in find_hits(each, source, line, text, within=True, kind="unwritten"):
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
        return f"{source} is not a text: for an audio file, add a time (12:34) or --text WORDS."
    looked = ", ".join(map(str, folders))
    return (
        f"No record of {source} was found in {looked}: convert it first, or say with -o where its "
        "files are."
    )


def _refuse_beyond(file: Path, duration_ms: int, at_ms: int) -> None:
    if at_ms > duration_ms:
        raise UserError(
            f"{file.name} ends at {format_duration(duration_ms)}, before {format_duration(at_ms)}."
        )


# When words are heard -----------------------------------------------------------------------------

# No language that parts words by spaces has longer ones; where none are parted, a mark says more.
_LONGEST_WORD = 40
_TOKEN = re.compile(r"\S+")
_SAYABLE = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Timing:
    """A chunk's sound: its `marks` (none where the engine gives none, or they are gone), its
    length, and how many characters it says."""

    marks: tuple[Mark, ...]
    length_ms: int
    characters: int

    def offset(self, sound_ms: int) -> tuple[int, bool]:
        """The character that is heard at a moment, and whether a mark of its word says so."""
        if not self.marks:
            return self._share(sound_ms, self.length_ms, 0, self.characters), False
        marks = self._words() or self.marks
        begun = [mark for mark in marks if mark.start_ms <= sound_ms]
        mark = max(begun or marks[:1], key=lambda mark: mark.start_ms)
        if mark.kind == "word" or not begun:
            return mark.start, True
        inside_ms, length_ms = sound_ms - mark.start_ms, mark.stop_ms - mark.start_ms
        return self._share(inside_ms, length_ms, mark.start, mark.stop), False

    def _words(self) -> list[Mark]:
        return [mark for mark in self.marks if mark.kind == "word"]

    def _share(self, inside_ms: int, length_ms: int, start: int, stop: int) -> int:
        at = start + (stop - start) * inside_ms // max(1, length_ms)
        return max(0, min(at, stop - 1, self.characters - 1))

    def moment(self, offset: int) -> tuple[int, bool]:
        """When a character is heard, in ms of the chunk's sound, and whether a mark of its word
        says so."""
        words = [mark for mark in self._words() if mark.stop > offset]
        if words:
            return min(mark.start_ms for mark in words), True
        later = [mark for mark in self.marks if mark.stop > offset]
        if not later:
            return round(self.length_ms * offset / max(1, self.characters)), False
        mark = min(later, key=lambda mark: mark.start)
        share = max(0, offset - mark.start) / max(1, mark.stop - mark.start)
        return round(mark.start_ms + share * (mark.stop_ms - mark.start_ms)), False


def read_timing(
    entry: Entry | None, chunk: dict[str, Any], pieces: Sequence[Sequence[int]]
) -> Timing:
    """What is known of a chunk's sound, in its text: from its entry, else from its pieces in the
    file."""
    characters = len(chunk["text"])
    if entry is None:
        length_ms = max((start_ms + length_ms for *_, start_ms, length_ms in pieces), default=0)
        return Timing((), length_ms, characters)
    alignment = chunk.get("alignment", ())
    marks = tuple(
        replace(
            mark,
            start=find_text_offset(alignment, mark.start),
            stop=find_text_offset(alignment, mark.stop),
        )
        for mark in entry.marks
    )
    return Timing(marks, entry.sound.duration_ms, characters)


def word_at(text: str, offset: int) -> tuple[int, str]:
    """Where the word at a character begins, and the word; the next one, if there is none."""
    before = re.search(r"(?<!\S)\S*$", text[max(0, offset - _LONGEST_WORD) : offset])
    start = offset - len(before[0]) if before and len(before[0]) < _LONGEST_WORD else offset
    for token in _TOKEN.finditer(text, start):
        if token.end() > offset and _SAYABLE.search(token[0]):
            return token.start(), token[0]
    return offset, ""


def nearest_ms(pieces: Sequence[Sequence[int]], sound_ms: int) -> int:
    """The time in the file that is nearest to a moment of the chunk's sound."""

    def in_file(piece: Sequence[int]) -> tuple[int, int]:
        _, file_ms, start_ms, length_ms = piece
        inside_ms = min(max(sound_ms - start_ms, 0), length_ms)
        return abs(start_ms + inside_ms - sound_ms), file_ms + inside_ms

    return max(0, min(map(in_file, pieces))[1])
