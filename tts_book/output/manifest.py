"""Where the manifests of runs are, what is in them, and how they are read.

`tts-book.jsonl` lies in the folder of a book's chapters; a book of one file has
`STEM.tts-book.jsonl` beside it. It holds JSON lines, each an object with one key:

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
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tts_book.output.paths import SUFFIX, SUFFIXES, Layout, file_name

NAME = "tts-book.jsonl"
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
    return target.with_name(f"{target.stem}.{NAME}") if alone else target.with_name(NAME)


def manifests_around(place: Path) -> tuple[Path, ...]:
    """Where the manifest of a book may lie whose files are in the folder `place`, or are called so
    with a suffix."""
    return (
        manifest_beside(place / "any", alone=False),
        place.with_name(f"{place.name}.{NAME}"),
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
            for inner in (name, f"{name} (audio)")
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
