"""Which captions are ours to replace: their files have no room for an owner's name.

A file is ours if the record of an earlier run names it; also if a run that left no record, because
it was killed, has written the sound beside it. That is so where the sound is this book's, and not
as the record says that it was left. A run without captions leaves those that are there, and its
record goes on naming them.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from pathlib import Path

from tts_book.audio.tags_mp4_ogg import owner_of
from tts_book.output import captions
from tts_book.output import paths as layout
from tts_book.output.captions import beside
from tts_book.output.manifest import left_as, path_of
from tts_book.output.unchanged import state
from tts_book.pipeline.planning import Prepared


def refuse_strangers(prepared: Sequence[Prepared], formats: Sequence[str]) -> None:
    """Raises UserError if captions in these formats would replace files of other origin."""
    found = (each for item in prepared for each in _found(item, formats))
    layout.refuse([path for path, ours in found if not ours])


def ours(item: Prepared) -> tuple[Path, ...]:
    """The captions beside a book's files, in any format, that are ours."""
    return tuple(path for path, ours in _found(item, tuple(captions.FORMATS)) if ours)


def outdated(item: Prepared, anew: Container[Path], made: Container[Path]) -> tuple[Path, ...]:
    """The captions of earlier runs beside files that are `anew`, except those that were `made` with
    them: they need not fit any more."""
    there = [
        path
        for sound in item.layout.files
        if sound in anew
        for path in beside(sound, tuple(captions.FORMATS))
        if path not in made and path.exists()
    ]
    known = left_as(path_of(item)) if there else {}
    return tuple(path for path in there if path.name in known)


def _found(item: Prepared, formats: Sequence[str]) -> Iterator[tuple[Path, bool]]:
    """The captions that are there, and whether they are ours."""
    there = [
        (sound, path)
        for sound in item.layout.files
        for path in beside(sound, formats)
        if path.exists()
    ]
    known = left_as(path_of(item)) if there else {}
    for sound, path in there:
        yield path, path.name in known or _is_ours(sound, item.layout.owner, known)


def _is_ours(sound: Path, owner: str, known: dict[str, object]) -> bool:
    """Whether a sound is this book's and was written since the record was."""
    return owner_of(sound) == owner and known.get(sound.name) != state([sound])[str(sound)]
