"""Is a finished file what it should be? Decodes it from end to end and compares it with the record
beside it, with its tags and captions, and with what audiobook shops ask for."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tts_book.audio import containers, decoder, file_tags
from tts_book.audio.analysis import Measured, measure_blocks, measure_file
from tts_book.audio.file_tags import owner_of, read_tags
from tts_book.audio.mp3_files import find_faults
from tts_book.errors import AudioError, UserError
from tts_book.events import format_count
from tts_book.model import ChapterMark
from tts_book.output.manifest import (
    NAME,
    STRETCH_MS,
    Lines,
    book_folder,
    describe_captions,
    describe_marks,
    describe_sound,
    describe_tags,
    find_changed_stretches,
    manifest_beside,
    read_lines,
    read_manifest,
)
from tts_book.output.paths import SUFFIX, SUFFIXES

_NEAR_MS = 120  # what rounding and an encoder may add to a file
_LONGER_MS = 1_500  # what a voice may rest more than the longest pause asked for
_LONGEST_PAUSE_MS = 5_000  # where no record tells
_FASTEST_PER_S = 60.0  # characters that no voice speaks in a second
_CUE_LEAST_MS = 300
_MARK_NEAR_MS = 20  # what another program may round when it writes a file again
_TIMES = re.compile(r"(\d+):(\d\d):(\d\d)[,.](\d{3}) --> (\d+):(\d\d):(\d\d)[,.](\d{3})")
# What ACX (Audible) asks of a chapter's file.
_ACX_RMS_DB = (-23.0, -18.0)
_ACX_PEAK_DB = -3.0
_ACX_FLOOR_DB = -60.0
_ACX_LONGEST_MS = 120 * 60_000


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and where: a time of the file, and a place in the source where one is
    known."""

    what: str
    at_ms: int | None = None
    place: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found out about one file. `acx` are the numbers that a shop would not take."""

    path: Path
    measured: Measured | None
    problems: tuple[Problem, ...]
    acx: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def files(paths: Sequence[Path]) -> list[Path]:
    """The files that these paths name; of a folder all that this program wrote, in order, those
    that its manifests name and that are gone, too. Raises UserError where there are none."""
    found: list[Path] = []
    for path in map(_normal, paths):
        if path.is_dir():
            below = [p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES]
            mine = {p for p in below if owner_of(p) is not None} | set(_find_written(path))
            if not mine:
                raise UserError(f"{path} holds no files that tts-book wrote.")
            found += sorted(mine)
        elif not path.exists():
            raise UserError(f"{path} is not there.")
        elif path.suffix.lower() not in SUFFIXES:
            raise UserError(f"{path} is not an audio file of tts-book: {', '.join(SUFFIXES)}.")
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def _find_written(folder: Path) -> Iterator[Path]:
    """The files in a folder, there or not, that its manifests list."""
    for manifest in folder.rglob(f"*{NAME}"):
        for line in read_lines(manifest, "contents"):
            path = _normal(book_folder(manifest) / line["file"])
            if path.is_relative_to(folder):
                yield path


def _normal(path: Path) -> Path:
    """The path without steps up: manifests name files beside their folder by such."""
    return Path(os.path.normpath(path))


def verify(path: Path, read: Callable[[Path], dict[str, Lines]] = read_manifest) -> Report:
    """Looks through one file. `read` reads a record, which is that of other files, too."""
    record, place = _record(path, read)
    contents = _contents(record, path, place)
    if not path.exists():
        return Report(
            path, None, (Problem("it is missing: it was written, and is no longer there"),)
        )
    try:
        broken = (
            [Problem(text) for text in find_faults(path)] if path.suffix.lower() == SUFFIX else []
        )
    except OSError as error:
        return Report(path, None, (Problem(f"it cannot be read: {error.strerror}"),))
    try:
        probed = containers.probe(path)
        changes = list(_find_changes(path, contents)) if contents else []
    except AudioError as error:
        return Report(path, None, (*broken, Problem(str(error))))
    chapters = _chapters(record, path, probed.chapters)
    changed = [
        replace(each, place=_at(chapters, each.at_ms)) if each.at_ms is not None else each
        for each in changes
        if isinstance(each, Problem)
    ]
    try:
        measured = _listen(path, damaged=bool(broken))
    except AudioError as error:
        return Report(path, None, (*broken, *changed, Problem(str(error))))
    problems = [
        *broken,
        *changed,
        *_lengths(measured, probed, chapters),
        *(_tags(path, record) if not contents else ()),
        *(problem for chapter in chapters for problem in _silences(chapter, measured)),
        *_long_silences(measured, chapters, record),
        *_captions(path, measured, bool(chapters) and _is_rehearsal(chapters[0].told)),
    ]
    notes = [each for each in changes if isinstance(each, str)]
    if not record:
        notes.append("no record beside it: compared with its own tags only")
    elif not chapters:
        notes.append("its record does not know it")
    notes += (note for chapter in chapters for note in _unpaused(chapter))
    return Report(path, measured, tuple(problems), tuple(_acx(measured)), tuple(notes))


def _listen(path: Path, *, damaged: bool) -> Measured:
    """What is heard. Where frames are damaged, as a player that passes over them hears it."""
    return measure_blocks(decoder.decode_any(path)) if damaged else measure_file(path)


# What the record tells ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Chapter:
    """A chapter as the record has it, and where it begins in the file."""

    told: dict[str, Any]
    start_ms: int


def _record(
    path: Path, read: Callable[[Path], dict[str, Lines]]
) -> tuple[dict[str, Lines], Path | None]:
    """The record of a file, and where it lies."""
    places = [manifest_beside(path, alone=True), manifest_beside(path, alone=False)]
    places.append(manifest_beside(path.with_suffix("") / "any", alone=False))
    for place in places:
        if place.exists():
            return read(place), place
    return {}, None


def _contents(record: dict[str, Lines], path: Path, place: Path | None) -> dict[str, Any] | None:
    """What the record says that the file holds."""
    for line in record.get("contents", ()) if place else ():
        if place and _normal(book_folder(place) / line["file"]) == _normal(path):
            return line
    return None


def _chapters(
    record: dict[str, Lines], path: Path, marks: Sequence[ChapterMark]
) -> tuple[_Chapter, ...]:
    """The chapters that are in this file: its own, or all of the book."""
    known = sorted(record.get("chapter", ()), key=lambda chapter: int(chapter["number"]))
    own = [chapter for chapter in known if chapter["file"] == path.name]
    if own and not marks:
        return (_Chapter(own[-1], 0),)
    if len(marks) == len(known):
        pairs = zip(known, marks, strict=True)
        return tuple(_Chapter(chapter, mark.start_ms) for chapter, mark in pairs)
    return (_Chapter(known[0], 0),) if len(known) == 1 and not marks else ()


def _is_rehearsal(chapter: dict[str, Any]) -> bool:
    return chapter.get("backend") == "silent"


# What may be wrong --------------------------------------------------------------------------------


def _find_changes(path: Path, known: dict[str, Any]) -> Iterator[Problem | str]:
    """How a file differs from what was written: problems, and notes on what a person changed."""
    sound = describe_sound(path)
    if changed := find_changed_stretches(known["sound"], sound):
        others = len(changed) - 1
        stretches = "stretch" if others == 1 else "stretches"
        more = f", and in {others} more {stretches}" if others else ""
        what = f"its sound is not what was written, somewhere in these {STRETCH_MS // 1_000} s"
        yield Problem(f"{what}{more}", changed[0])
    yield from _find_changed_marks(known["marks"], describe_marks(path))
    tags = describe_tags(path)
    names = [name for name, value in known["tags"].items() if tags.get(name, "") != value]
    if names:
        yield f"tags changed since it was written: {', '.join(names)}"
    for name, was in known["captions"].items():
        captions = path.with_name(name)
        if not captions.exists():
            yield f"{name} was written beside it and is gone"
            continue
        now = describe_captions(captions)
        if now["times"] != was["times"]:
            yield Problem(f"{name}: its times are not those that were written")
        elif now["all"] != was["all"]:
            yield f"{name}: its text was changed since it was written"


def _find_changed_marks(
    known: Sequence[Sequence[Any]], now: Sequence[Sequence[Any]]
) -> Iterator[Problem | str]:
    if len(known) != len(now):
        yield Problem(f"it has {len(now)} chapter marks, {len(known)} were written")
        return
    for (start_ms, title), (now_ms, now_title) in zip(known, now, strict=True):
        if abs(now_ms - start_ms) > _MARK_NEAR_MS:
            yield Problem(f"the chapter mark “{title}” was moved from here", start_ms)
        if now_title != title:
            yield f"chapter mark renamed since it was written: “{title}” is “{now_title}”"


def _unpaused(chapter: _Chapter) -> Iterator[str]:
    """Sentences whose pauses could not be set, since no silence was found at their ends."""
    places = chapter.told.get("unpaused", ())
    if places and not _is_rehearsal(chapter.told):
        first = next((c for c in chapter.told["chunks"] if c["number"] == places[0][0]), None)
        words = " ".join(first["text"][: places[0][1]].split())[-40:] if first else ""
        yield (
            f"chapter {chapter.told['number']}: no silence was found at the ends of "
            f"{format_count(len(places), 'sentence')}, whose pauses are the voice's own: "
            f"first after “{words}”"
        )


def _lengths(
    measured: Measured, probed: containers.Probe, chapters: Sequence[_Chapter]
) -> Iterator[Problem]:
    if abs(measured.duration_ms - probed.duration_ms) > _NEAR_MS:
        yield Problem(
            f"its header says {probed.duration_ms} ms, the sound is {measured.duration_ms} ms long"
        )
    told_ms = sum(int(chapter.told["duration_ms"]) for chapter in chapters)
    if chapters and abs(measured.duration_ms - told_ms) > _NEAR_MS * len(chapters):
        yield Problem(f"{told_ms} ms were written, {measured.duration_ms} ms are there")


def _tags(path: Path, record: dict[str, Lines]) -> Iterator[Problem]:
    found = read_tags(path)
    if not found.title:
        yield Problem("it has no title in its tags")
    if not found.owner:
        yield Problem("it has no tags of tts-book")
    run = record.get("run") or [{}]
    title = run[-1].get("title", "")
    if title and found.album != file_tags.clean_tag(title):
        yield Problem(f"its tags name the book “{found.album}”, not “{title}”")


def _silences(chapter: _Chapter, measured: Measured) -> Iterator[Problem]:
    """Chunks in whose time too little is heard for their words."""
    if _is_rehearsal(chapter.told):
        return
    spans: dict[int, list[tuple[int, int]]] = {}
    for number, at_ms, _, length_ms in chapter.told["pieces"]:
        spans.setdefault(number, []).append((at_ms, at_ms + length_ms))
    for chunk in chapter.told["chunks"]:
        here = spans.get(chunk["number"], [])
        letters = sum(map(str.isalnum, chunk["text"]))
        heard_ms = sum(
            measured.sounding_ms(chapter.start_ms + a, chapter.start_ms + b) for a, b in here
        )
        if letters * 1_000 / _FASTEST_PER_S > heard_ms + 2 * 24:
            at_ms = chapter.start_ms + max(0, here[0][0]) if here else None
            words = " ".join(chunk["text"].split())[:40]
            yield Problem(
                f"only {heard_ms / 1_000:.1f} s of sound for {letters} letters: “{words}”",
                at_ms,
                _place(chunk),
            )


def _long_silences(
    measured: Measured, chapters: Sequence[_Chapter], record: dict[str, Lines]
) -> Iterator[Problem]:
    if chapters and _is_rehearsal(chapters[0].told):
        return
    run = record.get("run") or [{}]
    pauses = run[-1].get("pauses") or {"longest": _LONGEST_PAUSE_MS}
    for start_ms, stop_ms in measured.silences(max(pauses.values()) + _LONGER_MS):
        yield Problem(
            f"silence for {(stop_ms - start_ms) / 1_000:.1f} s", start_ms, _at(chapters, start_ms)
        )


def _at(chapters: Sequence[_Chapter], at_ms: int) -> str:
    """Where in the source the words stand that are heard last before a time."""
    place = ""
    for chapter in chapters:
        chunks = {chunk["number"]: chunk for chunk in chapter.told["chunks"]}
        for number, file_ms, _, _ in chapter.told["pieces"]:
            if chapter.start_ms + file_ms > at_ms:
                return place
            place = _place(chunks[number]) if number in chunks else place
    return place


def _place(chunk: dict[str, Any]) -> str:
    _, line, column, name = chunk["places"][0]
    return f"{name}:{line}:{column}" if line else str(name)


def _captions(path: Path, measured: Measured, rehearsal: bool) -> Iterator[Problem]:
    for suffix in (".srt", ".vtt"):
        captions = path.with_suffix(suffix)
        if not captions.exists():
            continue
        last_ms = 0
        for start_ms, stop_ms in _cues(captions):
            if start_ms < last_ms or stop_ms < start_ms:
                yield Problem(f"{captions.name}: captions are out of order", start_ms)
            if start_ms > measured.duration_ms:
                yield Problem(f"{captions.name}: a caption lies after the end", start_ms)
            elif not rehearsal and _is_silent(measured, start_ms, stop_ms):
                yield Problem(f"{captions.name}: nothing is heard under a caption", start_ms)
            last_ms = start_ms


def _is_silent(measured: Measured, start_ms: int, stop_ms: int) -> bool:
    long_enough = stop_ms - start_ms >= _CUE_LEAST_MS
    return long_enough and not measured.sounding_ms(start_ms - 100, stop_ms + 100)


def _cues(path: Path) -> Iterator[tuple[int, int]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if found := _TIMES.match(line):
                h, m, s, ms, h2, m2, s2, ms2 = map(int, found.groups())
                yield ((h * 60 + m) * 60 + s) * 1_000 + ms, ((h2 * 60 + m2) * 60 + s2) * 1_000 + ms2


def _acx(measured: Measured) -> Iterator[str]:
    rms, peak, floor = measured.rms_dbfs, measured.peak_dbfs, measured.floor_dbfs
    least, most = _ACX_RMS_DB
    if rms is None or not least <= rms <= most:
        yield f"RMS {'none' if rms is None else f'{rms:.1f} dB'}, not {least:.0f} to {most:.0f} dB"
    if peak is not None and peak > _ACX_PEAK_DB:
        yield f"peak {peak:.1f} dB, above {_ACX_PEAK_DB:.0f} dB"
    if floor is not None and floor > _ACX_FLOOR_DB:
        yield f"noise {floor:.0f} dB, above {_ACX_FLOOR_DB:.0f} dB"
    if measured.duration_ms > _ACX_LONGEST_MS:
        yield f"{measured.duration_ms // 60_000} minutes, more than 120"
