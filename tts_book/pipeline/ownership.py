"""Which captions are ours to replace: their files have no room for an owner's name.

A file is ours if the manifest of an earlier run names it; also if a run that left no manifest,
because it was killed, has written the sound beside it. That is so where the sound is this book's,
and not as the manifest says that it was left. A run without captions leaves those that are there,
and its manifest goes on naming them."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from pathlib import Path

from tts_book.audio.tags_mp4_ogg import owner_of
from tts_book.output import captions
from tts_book.output.captions import caption_paths
from tts_book.output.manifest import manifest_path, read_file_states, read_known_files
from tts_book.output.paths import refuse_existing
from tts_book.pipeline.jobs import BookJob


def refuse_foreign_captions(jobs: Sequence[BookJob], formats: Sequence[str]) -> None:
    """Raises UserError if captions in these formats would replace files of other origin."""
    found = (each for job in jobs for each in _found(job, formats))
    refuse_existing([path for path, ours in found if not ours])


def find_own_captions(job: BookJob) -> tuple[Path, ...]:
    """The captions beside a book's files, in any format, that are ours."""
    return tuple(path for path, ours in _found(job, tuple(captions.FORMATS)) if ours)


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


def _found(job: BookJob, formats: Sequence[str]) -> Iterator[tuple[Path, bool]]:
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
