"""Which captions are ours to replace: their files have no room for an owner's name.

A file is ours if the manifest of an earlier run names it; also if a run that left no manifest,
because it was killed, has written the sound beside it. That is so where the sound is this book's,
and not as the manifest says that it was left. A run without captions leaves those that are there,
and its manifest goes on naming them."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tts_book.audio.tags_mp4_ogg import owner_of
from tts_book.output import captions
from tts_book.output.captions import caption_paths
from tts_book.output.manifest import (
    manifest_beside,
    manifest_path,
    read_file_states,
    read_known_files,
)
from tts_book.output.paths import refuse_existing
from tts_book.pipeline.jobs import BookJob


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
    return StaleFiles(tuple(unchanged), tuple(changed))


def _is_known(path: str, state: object, known: dict[str, object]) -> bool:
    return known.get(Path(path).name) == state


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
