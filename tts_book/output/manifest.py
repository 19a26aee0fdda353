"""Where the manifests of runs are, what is in them, and how they are read.

`tts-book.jsonl` lies in the folder of a book's chapters; a book of one file has
`STEM.tts-book.jsonl` beside it. Either may be in the folder `.tts-book` there instead. It holds
JSON lines, each an object with one key:

    {"run": {...}}      versions, source, voice, pauses, cache; the first line. `way` leads from the
                        manifest's folder to the source, `home` to where `command` was given
    {"skips": {...}}    what is not read aloud: `all`, each [chapter (0: none), line, column, name
                        or label, reason, beginning of the text]
    {"event": {...}}    an event of the run, with `at_s` seconds since its start
    {"chapter": {...}}  a written file: its chunks, each with its key, text, what is `spoken` where
                        that differs (and the `alignment` of both), and `places` [offset in its
                        text, line, column, name or label], and the file's `pieces` [chunk number,
                        ms in the file, ms in the chunk's sound, length in ms]
    {"unwritten": {...}}
                        a chapter that was asked for and is not written yet: its chunks
    {"volume": {...}}   a file that holds the whole book or a part of it: its `chapters`, each
                        [number, ms in the file where it begins, ms where it ends]
    {"made": {...}}     a chapter's file: its size and time, its gain and level, and the recordings
                        that it was joined from
    {"contents": {...}} a written file of any format, as hashes: its sound, its tags, its chapter
                        marks, the captions beside it; and the state (size and time) of all these
    {"captions": {...}} captions of earlier runs that are still there
    {"whole": {...}}    the last line, if nothing is missing: what was asked for, and the files

A chapter that was not asked for keeps the lines of the run that wrote it.

A file or a source is described by the manifests that lie beside it, and by those of books that the
cache knows. A folder that was moved as a whole is recognised by its relative paths.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any
from zlib import crc32

from tts_book.audio import containers, mp3_files
from tts_book.audio.file_tags import read_tags
from tts_book.errors import AudioError
from tts_book.model import Entry
from tts_book.output.paths import SUFFIX, SUFFIXES, Layout, file_name, name_chapter_folders
from tts_book.synthesis.chunk_cache import ChunkCache

NAME = "tts-book.jsonl"
# Keeps the manifests of a folder out of sight.
HIDDEN_FOLDER = ".tts-book"
HIDDEN = "hidden"
# What recognisers heard of a book, beside its manifest.
_EAR = "tts-book.ear.json"
# The last line is short; this is room for some thousand files.
_TAIL_BYTES = 1 << 20
Lines = list[dict[str, Any]]

# What readers of a line count on: a list holds any number of such values, but one at least, a
# tuple these values; what is named with a "?" may be missing.
_CHUNKS: list[Any] = [
    {
        "number": int,
        "key": str,
        "text": str,
        "spoken": str | None,
        "alignment?": [(int, int)],
        "places": [(int, int, int, str)],
    }
]
_FORMS: dict[str, Any] = {
    "run": {"title": str, "source": str, "language": str, "voice": dict, "fingerprint": str},
    "skips": {"all": [(int, int, int, str, str, str)]},
    "event": {"event": str},
    "chapter": {
        "number": int,
        "title": str,
        "file": str,
        "duration_ms": int,
        "chunks": _CHUNKS,
        "pieces": [(int, int, int, int)],
    },
    "unwritten": {"number": int, "chunks": _CHUNKS},
    "volume": {"file": str, "duration_ms": int, "chapters": [(int, int, int)]},
    "made": {"file": str},
    "contents": {
        "file": str,
        "state": dict,
        "sound": {"all": str, "stretches": str},
        "tags": dict,
        "marks": list,
        "captions": dict,
    },
}


def manifest_path(layout: Layout) -> Path:
    """Where the manifest of a book lies."""
    if not layout.keeps_chapters:
        return manifest_beside(layout.whole[0][1], alone=True)
    return manifest_beside(layout.targets[0], alone=len(layout.targets) == 1)


def manifest_beside(target: Path, *, alone: bool) -> Path:
    """The manifest of a book by one of its files; `alone`: it is the book's only one."""
    return _find_place(target.with_name(f"{target.stem}.{NAME}" if alone else NAME))


def _find_place(beside: Path) -> Path:
    """The manifest where it is; of one that is not written yet, in the hidden folder if there is
    one."""
    hidden = beside.parent / HIDDEN_FOLDER / beside.name
    wanted = hidden.exists() or (not beside.exists() and hidden.parent.is_dir())
    return hidden if wanted else beside


def book_folder(manifest: Path) -> Path:
    """The folder of the files that a manifest names."""
    is_hidden = manifest.parent.name == HIDDEN_FOLDER
    return manifest.parent.parent if is_hidden else manifest.parent


def place_manifest(found: Path, records: str) -> Path:
    """Where a run writes the manifest that an earlier one left at `found`: "beside" the files,
    "hidden", or where it is ("")."""
    if not records:
        return found
    folder = book_folder(found)
    return (folder / HIDDEN_FOLDER if records == HIDDEN else folder) / found.name


def findings_path(manifest: Path) -> Path:
    """Where the findings of recognisers about a book are kept."""
    return manifest.with_name(f"{manifest.name.removesuffix(NAME)}{_EAR}")


def find_manifests(folder: Path) -> Iterator[Path]:
    """The manifests in a folder and in those directly in it."""
    patterns = (f"*{NAME}", f"{HIDDEN_FOLDER}/*{NAME}", f"*/{NAME}", f"*/{HIDDEN_FOLDER}/{NAME}")
    yield from dict.fromkeys(path for each in patterns for path in sorted(folder.glob(each)))


def manifests_around(place: Path) -> tuple[Path, ...]:
    """Where the manifest of a book may lie whose files are in the folder `place`, or are called so
    with a suffix."""
    return (
        manifest_beside(place / "any", alone=False),
        _find_place(place.with_name(f"{place.name}.{NAME}")),
        manifest_beside(place, alone=False),
    )


def manifests_for_stem(out: Path | None, cwd: Path, stem: str) -> tuple[Path, ...]:
    """Where the manifest of a source of that name may lie, for an output as it was asked for."""
    folder, name = out or cwd, file_name(stem)
    single = folder / f"{name}{SUFFIX}"
    if out is not None and out.suffix.lower() in SUFFIXES:
        single = out
    return (
        manifest_beside(single, alone=True),
        *(
            manifest_beside(folder / inner / "any", alone=False)
            for inner in name_chapter_folders(name)
        ),
    )


def read_manifest(path: Path) -> dict[str, Lines]:
    """The lines of a manifest by kind; none without one, or where its first line is damaged.
    Others that are damaged are passed over."""
    found: dict[str, Lines] = {"run": [], "event": [], "chapter": [], "unwritten": []}
    for kind, value in _read_valid_lines(path):
        found.setdefault(kind, []).append(value)
    return found if found["run"] else {kind: [] for kind in found}


def read_run(path: Path) -> dict[str, Any] | None:
    """The run that left the manifest; None without one, or where its first line is damaged."""
    return next(read_lines(path, "run"), None)


def read_lines(path: Path, kind: str) -> Iterator[dict[str, Any]]:
    """The lines of one kind, one at a time; damaged ones are passed over."""
    return (value for _, value in read_kinds(path, kind))


def read_kinds(path: Path, *kinds: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines of these kinds, each with its kind, one at a time; damaged ones are passed over."""
    beginnings = tuple(f'{{"{kind}": ' for kind in kinds)
    return ((kind, value) for kind, value in _read_valid_lines(path, beginnings) if kind in kinds)


def read_known_files(path: Path) -> dict[str, object]:
    """The files that a manifest names, audio and captions, by their names: size and time in which
    they were left, as `read_file_states` gives them."""
    found: dict[str, object] = {}
    for _, line in read_kinds(path, "made", "captions", "whole"):
        files = line.get("files")
        if isinstance(files, dict):
            found |= {Path(name).name: was for name, was in files.items()}
    return found


def _read_valid_lines(
    path: Path, beginnings: str | tuple[str, ...] = ""
) -> Iterator[tuple[str, dict[str, Any]]]:
    with contextlib.suppress(OSError), path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.startswith(beginnings):
                continue
            with contextlib.suppress(ValueError, AttributeError, RecursionError):
                for kind, value in json.loads(line).items():
                    if _fits_form(value, _FORMS.get(kind, dict)):
                        yield kind, value


def _fits_form(value: Any, form: Any) -> bool:
    if isinstance(form, dict):
        return isinstance(value, dict) and all(
            _fits_form(value[key], inner) if (key := name.rstrip("?")) in value else key != name
            for name, inner in form.items()
        )
    if isinstance(form, list):
        return (
            isinstance(value, list)
            and bool(value)
            and all(_fits_form(each, form[0]) for each in value)
        )
    if isinstance(form, tuple):
        return (
            isinstance(value, list)
            and len(value) == len(form)
            and all(map(_fits_form, value, form))
        )
    return isinstance(value, form)


def read_file_states(files: Iterable[Path]) -> dict[str, list[int]]:
    """Size and time of change of each file. Raises OSError where one is not there."""
    return {str(path): [path.stat().st_size, path.stat().st_mtime_ns] for path in files}


def find_finished_files(manifest: Path, fingerprint: str) -> tuple[Path, ...]:
    """The files of a whole run with this fingerprint, if all of them are as that run left them;
    none otherwise."""
    last = _last_line(manifest)
    whole = last.get("whole")
    if not isinstance(whole, dict) or whole.get("asked") != fingerprint:
        return ()
    files = tuple(Path(name) for name in whole["files"])
    try:
        return files if read_file_states(files) == whole["files"] else ()
    except OSError:
        return ()


def _last_line(manifest: Path) -> dict[str, Any]:
    try:
        with manifest.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            tail = file.read()
        last = json.loads(tail.rstrip(b"\n").rpartition(b"\n")[2])
    except (OSError, ValueError):
        return {}
    return last if isinstance(last, dict) else {}


# Manifests by file and by source ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Manifest:
    """A record by its file, and what its `run` line says. Its lines are read one at a time: it is
    as long as the book. `cache` is asked where that of its run is not there."""

    path: Path
    run: dict[str, Any]
    cache: ChunkCache

    @property
    def folder(self) -> Path:
        """The folder of the files that it names."""
        return book_folder(self.path)

    def chapters(self, kind: str = "chapter") -> Iterator[dict[str, Any]]:
        """The chapters that are written; or those that are not, by the kind of their lines."""
        return read_lines(self.path, kind)

    def story(self, chapter: int, chunk: int) -> Iterator[dict[str, Any]]:
        """The events about a chunk."""
        for event in read_lines(self.path, "event"):
            if event.get("chapter") == chapter and event.get("chunk") == chunk:
                yield event

    def tells_of(self, source: Path) -> bool:
        """Whether it is of a run over this source, or over a folder that it lies in."""
        ours = source.resolve()
        return any(place in (ours, *ours.parents) for place in self._sources())

    def _sources(self) -> Iterator[Path]:
        if self.run["source"]:
            yield Path(self.run["source"])
        if self.run.get("way"):
            yield self._there(self.run["way"])

    def _there(self, way: str) -> Path:
        return Path(os.path.normpath(self.folder.resolve() / way))

    def entry(self, chapter: dict[str, Any], chunk: dict[str, Any]) -> Entry | None:
        """A chunk's entry; see `entry_of`."""
        return self.entry_of(chunk["key"], self._takes(chapter).get(chunk["number"]))

    def entry_of(self, key: str, take: str | None = None) -> Entry | None:
        """An entry in the cache that the run used, else in the other; None where it is gone, or
        another recording than the one in the chapter's file."""
        used = self.run.get("cache")
        found = ChunkCache(Path(used)).get(key) if used else None
        found = found or self.cache.get(key)
        return found if found and take in (None, found.take) else None

    def _takes(self, chapter: dict[str, Any]) -> dict[int, str]:
        for made in read_lines(self.path, "made"):
            taken = made.get("taken")
            if made["file"] == chapter["file"] and isinstance(taken, list):
                numbers = (chunk["number"] for chunk in chapter["chunks"])
                return {number: take for number, (take, *_) in zip(numbers, taken, strict=False)}
        return {}

    @property
    def home(self) -> Path | None:
        """The folder in which the command of its run is given now: that beside the record, if the
        whole was moved or copied together. None where nobody knows."""
        run = self.run
        if run.get("home") and run.get("way") and self._there(run["way"]).exists():
            return self._there(run["home"])
        return Path(run["cwd"]) if run.get("cwd") else None

    def file_of(self, chapter: dict[str, Any]) -> tuple[Path, int]:
        """A file in which a chapter is heard, and the ms at which it begins there."""
        own = self.folder / chapter["file"]
        for volume in read_lines(self.path, "volume") if not own.exists() else ():
            for number, start_ms, _ in volume["chapters"]:
                if number == chapter["number"]:
                    return Path(os.path.normpath(self.folder / volume["file"])), start_ms
        return own, 0

    def names(self, output: Path) -> bool:
        """Whether it says how this file was made; the books of a folder lie side by side."""
        there = output.resolve()
        made = read_kinds(self.path, "chapter", "volume")
        return any((self.folder / line["file"]).resolve() == there for _, line in made)

    def volume(self, output: Path) -> dict[str, Any] | None:
        """What it says about a whole-book file."""
        for volume in read_lines(self.path, "volume"):
            if (self.folder / volume["file"]).resolve() == output.resolve():
                return volume
        return None


def manifests_of_file(output: Path, cache: ChunkCache) -> Iterator[Manifest]:
    """The records that may describe a file, those of its folder first."""
    near = (
        manifest_beside(output, alone=True),
        manifest_beside(output, alone=False),
        *find_manifests(output.parent),
    )
    return _open_manifests(dict.fromkeys(near), cache)


def manifests_of_place(place: Path, cache: ChunkCache) -> Iterator[Manifest]:
    """The records of the book that a file is of, or of the books in a folder."""
    if place.is_file():
        return (known for known in manifests_of_file(place, cache) if known.names(place))
    return _open_manifests(find_manifests(place), cache)


def manifests_of_source(
    source: Path, folders: Iterable[Path], cache: ChunkCache, places: Iterable[Path]
) -> list[Manifest]:
    """The records of a source in these folders, then those about books at these `places`. Those of
    excerpts come last."""
    paths = [
        *(path for folder in folders for path in find_manifests(folder)),
        *(path for place in places for path in manifests_around(place) if path.exists()),
    ]
    once = {path.resolve(): path for path in reversed(paths)}
    found = _open_manifests((path for path in paths if once[path.resolve()] is path), cache)
    return sorted((known for known in found if known.tells_of(source)), key=_is_excerpt)


def _open_manifests(paths: Iterable[Path], cache: ChunkCache) -> Iterator[Manifest]:
    for path in paths:
        if run := read_run(path):
            yield Manifest(path, run, cache)


def _is_excerpt(known: Manifest) -> bool:
    return bool(known.run.get("excerpt"))


# What a written file holds ------------------------------------------------------------------------

STRETCH_MS = 30_000
_HEX = 8  # digits of a stretch's checksum
_TIMES = re.compile(r"^(?:[\d:]+[,.]\d+ --> [\d:]+[,.]\d+|\[[\d:]+\.\d+\])", re.MULTILINE)


def describe_contents(path: Path, captions: Iterable[Path] = ()) -> dict[str, Any]:
    """What the manifest keeps of an audio file and the captions beside it. Raises AudioError and
    OSError where it cannot be read."""
    return {
        "sound": describe_sound(path),
        "tags": describe_tags(path),
        "marks": describe_marks(path),
        "captions": {each.name: describe_captions(each) for each in captions},
    }


def describe_sound(path: Path) -> dict[str, str]:
    """Hashes of the encoded sound, whatever tags stand around it: of all, and a checksum for each
    stretch of STRETCH_MS."""
    whole = hashlib.sha256()
    stretches = []
    for stretch in _read_stretches(path):
        check = 0
        for part in stretch:
            whole.update(part)
            check = crc32(part, check)
        stretches.append(f"{check:0{_HEX}x}")
    return {"all": whole.hexdigest(), "stretches": "".join(stretches)}


def _read_stretches(path: Path) -> Iterator[Iterable[bytes]]:
    if path.suffix.lower() != SUFFIX:
        codec = containers.AAC if path.suffix.lower() == ".m4b" else containers.OPUS
        yield from containers.read_packets(path, round(STRETCH_MS / codec.packet_ms))
        return
    try:
        with path.open("rb") as file:
            found = mp3_files.find_frames(file)
            size = found.form.frames_in(STRETCH_MS) * found.form.frame_bytes
            for at in range(found.sound_at, found.stop, size):
                file.seek(at)
                yield (file.read(min(size, found.stop - at)),)
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror}") from error


def describe_tags(path: Path) -> dict[str, str]:
    """The tags by name, the cover as a hash."""
    tags = read_tags(path)
    cover = hashlib.sha256(tags.cover.data).hexdigest() if tags.cover else ""
    plain = asdict(replace(tags, cover=None))
    return {name: str(value or "") for name, value in plain.items()} | {"cover": cover}


def describe_marks(path: Path) -> list[list[int | str]]:
    """The chapter marks by time: start and title. Programs that change one leave them in any
    order."""
    marks = sorted(containers.probe(path).chapters, key=attrgetter("start_ms"))
    return [[mark.start_ms, mark.title] for mark in marks]


def describe_captions(path: Path) -> dict[str, str]:
    """Hashes of a file of captions: of its times, and of all."""
    text = path.read_text("utf-8", errors="replace")
    times = "\n".join(_TIMES.findall(text))
    return {
        "times": hashlib.sha256(times.encode()).hexdigest(),
        "all": hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
    }


def find_changed_stretches(known: dict[str, str], now: dict[str, str]) -> list[int]:
    """When the stretches begin whose sound is not what it was, in ms; those that are missing, or
    too many, count as changed."""
    if known["all"] == now["all"]:
        return []
    before, after = (_split(each["stretches"]) for each in (known, now))
    most = max(len(before), len(after))
    pairs = zip(_filled(before, most), _filled(after, most), strict=True)
    return [n * STRETCH_MS for n, (one, other) in enumerate(pairs) if one != other] or [0]


def _split(checks: str) -> list[str]:
    return [checks[at : at + _HEX] for at in range(0, len(checks), _HEX)]


def _filled(checks: Sequence[str], length: int) -> list[str]:
    return [*checks, *[""] * (length - len(checks))]
