"""Files of earlier runs: which are up to date, which are ours to replace, which are stale.

A run leaves a line about each file in its manifest: the sounds it was joined of, what else decides
its bytes, and the file's own size and time. If all that is still so, the file need not be made
again; only the book's gain, which all chapters share, can still change it. If a chapter sounds as
a file does and only its number or its tags are others, the sound is taken from that file.

Captions have no room for an owner's name. They are ours if the manifest of an earlier run names
them; also if a run that left no manifest, because it was killed, has written the sound beside them.
That is so where the sound is this book's, and not as the manifest says that it was left. A run
without captions leaves those that are there, and its manifest goes on naming them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tts_book import __version__, audio
from tts_book.audio.file_tags import Tags, owner_of
from tts_book.model import Doubt, Pauses
from tts_book.output import captions
from tts_book.output.captions import caption_paths
from tts_book.output.manifest import (
    book_folder,
    manifest_beside,
    manifest_path,
    read_file_states,
    read_known_files,
    read_lines,
)
from tts_book.output.paths import SUFFIXES, refuse_existing
from tts_book.output.settings import OutputSettings
from tts_book.output.stitcher import UsedEntry
from tts_book.pipeline.jobs import BookJob, ChapterJob
from tts_book.synthesis import atomic
from tts_book.synthesis.chunk_cache import ChunkCache

# Goes up when the same sounds are joined otherwise.
_FORM = 4
# How lines of a manifest begin that are about one file.
_ABOUT_A_FILE = tuple(b'{"%b": {' % kind for kind in (b"chapter", b"made", b"contents", b"volume"))


@dataclass(frozen=True, slots=True)
class Recipe:
    """Fingerprints of what decides the sound of a chapter's file (besides its gain) and of what
    decides its tags."""

    sound: str
    tags: str


@dataclass(frozen=True, slots=True)
class ChapterFile:
    """A chapter's file and what is known of it: `steps` is the gain in it, `meter` its level
    without that, `recipe` what decides its bytes besides the gain."""

    path: Path
    frames: int
    duration_ms: int
    steps: int
    meter: audio.Meter
    recipe: Recipe
    used: tuple[UsedEntry, ...]


@dataclass(frozen=True, slots=True)
class EarlierFile:
    """A chapter's file as an earlier run left it. `is_current`: it needs no change; else its name
    or its tags are to be others. `files` are it and its captions with their sizes and times."""

    made: ChapterFile
    files: dict[str, list[int]]
    is_current: bool

    def is_unchanged(self) -> bool:
        """Whether the file is still as that run left it."""
        try:
            return _by_name(self.made.path.with_name(name) for name in self.files) == self.files
        except OSError:
            return False

    def remove(self, owner: str) -> None:
        """Removes the file, unless somebody changed it, or another book of the same folder
        owns it."""
        if self.is_unchanged() and owner_of(self.made.path) == owner:
            with contextlib.suppress(OSError):  # it is reported as stale then
                self.made.path.unlink()


def make_recipe(chapter: ChapterJob, takes: Iterable[str], pauses: Pauses) -> Recipe:
    """What decides the bytes of a chapter's file and its captions."""
    whole = (_FORM, __version__, pauses, chapter.job.request.book.language)
    parts = (
        (take, chunk.after, chunk.text, chunk.alignment)
        for chunk, take in zip(chapter.chunks, takes, strict=True)
    )
    return Recipe(_digest_parts((whole, *parts)), _digest_parts(_without_picture(chapter.tags)))


def _digest_parts(parts: Iterable[object]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part!r}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _without_picture(tags: Tags) -> tuple[Tags, str]:
    """The tags, with a fingerprint of the cover instead of its bytes."""
    data, mime = (tags.cover.data, tags.cover.mime) if tags.cover else (b"", "")
    return replace(tags, cover=None), f"{mime} {hashlib.sha256(data).hexdigest()}"


def describe_file(made: ChapterFile, files: Iterable[Path]) -> dict[str, Any]:
    """What the manifest says of a file and its captions, `files`."""
    return {
        "file": made.path.name,
        "files": _by_name(files),
        "frames": made.frames,
        "duration_ms": made.duration_ms,
        "gain_steps": made.steps,
        "level": made.meter.known,
        "sound": made.recipe.sound,
        "tags": made.recipe.tags,
        "taken": [
            [t.take, t.duration_ms, t.attempts, [d.packed for d in t.doubts]] for t in made.used
        ],
    }


def order_moves(
    moves: Iterable[tuple[ChapterJob, EarlierFile]],
) -> list[tuple[ChapterJob, EarlierFile]]:
    """Chapters that get the sound of others' files, such that a file is read before another is
    written in its place: those that move up from the last, then those that move down."""
    by_target = sorted(moves, key=lambda move: move[0].target)
    up = [move for move in by_target if move[1].made.path < move[0].target]
    down = [move for move in by_target if move[1].made.path >= move[0].target]
    return [*reversed(up), *down]


def _by_name(files: Iterable[Path]) -> dict[str, list[int]]:
    return {Path(path).name: found for path, found in read_file_states(files).items()}


def find_earlier_files(
    job: BookJob, pauses: Pauses, output: OutputSettings, cache: ChunkCache
) -> dict[Path, EarlierFile]:
    """The chapters that need not be joined again, by the paths where they should be."""
    # Captions of a whole book are made of those of its chapters, which are not kept.
    captions = output.captions
    if output.force or not job.layout.keeps_chapters or (job.layout.whole and captions):
        return {}
    manifest = manifest_path(job.layout)
    known = [line for line in read_lines(manifest, "made") if isinstance(line.get("file"), str)]
    by_name = {line["file"]: line for line in known}
    by_sound = {line.get("sound"): line for line in known}
    found = {}
    for chapter in job.chapters if known else ():
        takes = [cache.take(key) or "" for key in chapter.keys]
        if not all(takes) or not job.redo.isdisjoint(chapter.keys):
            continue
        wanted = make_recipe(chapter, takes, pauses)
        for line in (by_name.get(chapter.target.name), by_sound.get(wanted.sound)):
            earlier = _find_earlier(line, manifest, wanted, chapter.target, captions)
            if earlier:
                found[chapter.target] = earlier
                break
    return found


def _find_earlier(
    line: Any, manifest: Path, wanted: Recipe, target: Path, captions: Sequence[str]
) -> EarlierFile | None:
    """The file that a line describes, if it sounds as wanted and is as it was left; None also
    where the manifest is damaged or of another version."""
    if line is None or line.get("sound") != wanted.sound:
        return None
    try:
        path = book_folder(manifest) / line["file"]
        is_current = path == target and line["tags"] == wanted.tags
        if captions and not is_current:  # they hold the title, too
            return None
        made = ChapterFile(
            path,
            int(line["frames"]),
            int(line["duration_ms"]),
            int(line["gain_steps"]),
            _read_meter(*line["level"]),
            wanted,
            tuple(
                UsedEntry(take, ms, tries, tuple(map(Doubt.unpack, odd)))
                for take, ms, tries, odd in line["taken"]
            ),
        )
        names = [file.name for file in (path, *caption_paths(path, captions))]
        earlier = EarlierFile(made, {name: line["files"][name] for name in names}, is_current)
    except (KeyError, TypeError, ValueError):
        return None
    return earlier if earlier.is_unchanged() else None


def _read_meter(power: float, frames: int, peak_dbfs: float | None) -> audio.Meter:
    peak_dbfs = None if peak_dbfs is None else float(peak_dbfs)
    return audio.Meter.of(float(power), int(frames), peak_dbfs)


def refuse_foreign_captions(jobs: Sequence[BookJob], formats: Sequence[str]) -> None:
    """Raises UserError if captions in these formats would replace files of other origin."""
    found = (each for job in jobs for each in _find_captions(job, formats))
    refuse_existing([path for path, ours in found if not ours])


def find_own_captions(job: BookJob) -> tuple[Path, ...]:
    """The captions beside a book's files, in any format, that are ours."""
    return tuple(path for path, ours in _find_captions(job, tuple(captions.FORMATS)) if ours)


def find_outdated_captions(
    job: BookJob, rebuilt: Container[Path], made: Container[Path]
) -> tuple[Path, ...]:
    """The captions of earlier runs beside files that are `rebuilt`, except those that were `made`
    with them: they need not fit any more."""
    there = [
        path
        for sound in job.layout.files
        if sound in rebuilt
        for path in caption_paths(sound, tuple(captions.FORMATS))
        if path not in made and path.exists()
    ]
    known = read_known_files(manifest_path(job.layout)) if there else {}
    return tuple(path for path in there if path.name in known)


@dataclass(frozen=True, slots=True)
class StaleFiles:
    """Files of earlier runs that no chapter has any more: `unchanged` since tts-book wrote them,
    with their captions and manifests, or `changed` by somebody."""

    unchanged: tuple[Path, ...]
    changed: tuple[Path, ...]


def sort_stale_files(stale: Sequence[Path]) -> StaleFiles:
    """Which of these files are as tts-book left them."""
    unchanged: list[Path] = []
    changed: list[Path] = []
    for path in stale:
        own = manifest_beside(path, alone=True)
        known = read_known_files(manifest_beside(path, alone=False)) | read_known_files(own)
        with contextlib.suppress(OSError):
            if known.get(path.name) != read_file_states([path])[str(path)]:
                changed.append(path)
                continue
            unchanged += [path, *([own] if own.exists() else [])]
            beside = [
                each for each in caption_paths(path, tuple(captions.FORMATS)) if each.exists()
            ]
            states = read_file_states(beside)
            unchanged += [each for each in beside if known.get(each.name) == states[str(each)]]
    unchanged += _find_needless_manifests(unchanged)
    return StaleFiles(tuple(unchanged), tuple(changed))


def remove_stale_files(paths: Sequence[Path]) -> None:
    """Removes these files, what manifests say of them, and folders that hold nothing more. Raises
    OSError, and UserError where a manifest cannot be written."""
    for path in paths:
        path.unlink(missing_ok=True)
    gone = {os.path.normpath(path) for path in paths if path.suffix.lower() in SUFFIXES}
    for manifest in dict.fromkeys(each for path in gone for each in _find_manifests(Path(path))):
        _forget_files(manifest, gone)
    for folder in dict.fromkeys(path.parent for path in reversed(paths)):
        with contextlib.suppress(OSError):  # it still holds something
            folder.rmdir()


def _find_manifests(path: Path) -> Iterator[Path]:
    """Those that may describe an audio file and others besides."""
    for place in (path, path.with_suffix("") / "any"):
        manifest = manifest_beside(place, alone=False)
        if manifest.exists():
            yield manifest


def _forget_files(manifest: Path, gone: Container[str]) -> None:
    """Leaves out the lines of a manifest about files that are gone."""
    folder = book_folder(manifest)
    with (
        atomic.report_failure(manifest),
        atomic.open_replacing(manifest) as new,
        manifest.open("rb") as old,  # the last, so closed before it is replaced: Windows insists
    ):
        for line in old:
            file = _read_file_name(line) if line.startswith(_ABOUT_A_FILE) else ""
            if not file or os.path.normpath(folder / file) not in gone:
                new.write(line)


def _read_file_name(line: bytes) -> str:
    try:
        (value,) = json.loads(line).values()
        return str(value["file"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""  # it is damaged, and passed over by all readers


def _find_needless_manifests(removed: Sequence[Path]) -> list[Path]:
    """The manifests of folders that have no audio left without these files."""
    found = []
    for folder in dict.fromkeys(path.parent for path in removed if path.suffix in SUFFIXES):
        left = {path for path in folder.iterdir() if path.suffix in SUFFIXES} - set(removed)
        manifest = manifest_beside(folder / "any", alone=False)
        if not left and manifest.exists():
            found.append(manifest)
    return found


def _find_captions(job: BookJob, formats: Sequence[str]) -> Iterator[tuple[Path, bool]]:
    """The captions that are there, and whether they are ours."""
    there = [
        (sound, path)
        for sound in job.layout.files
        for path in caption_paths(sound, formats)
        if path.exists()
    ]
    known = read_known_files(manifest_path(job.layout)) if there else {}
    for sound, path in there:
        yield path, path.name in known or _is_ours(sound, job.layout.owner, known)


def _is_ours(sound: Path, owner: str, known: dict[str, object]) -> bool:
    """Whether a sound is this book's and was written since the manifest was."""
    return (
        owner_of(sound) == owner and known.get(sound.name) != read_file_states([sound])[str(sound)]
    )
