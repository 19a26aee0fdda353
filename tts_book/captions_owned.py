"""Which captions are ours to replace: their files have no room for an owner's name.

A file is ours if the record of an earlier run names it; also if a run that left no record, because
it was killed, has written the sound beside it. That is so where the sound is this book's, and not
as the record says that it was left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tts_book import layout
from tts_book.captioned import beside
from tts_book.prepared import Prepared
from tts_book.records import left_as, path_of
from tts_book.tags_containers import owner_of
from tts_book.unchanged import state


def refuse_strangers(prepared: Sequence[Prepared], formats: Sequence[str]) -> None:
    """Raises UserError if captions in these formats would replace files of other origin."""
    layout.refuse([path for item in prepared for path in _strangers(item, formats)])


def _strangers(item: Prepared, formats: Sequence[str]) -> Iterator[Path]:
    there = [
        (sound, path)
        for sound in item.layout.files
        for path in beside(sound, formats)
        if path.exists()
    ]
    known = left_as(path_of(item)) if there else {}
    for sound, path in there:
        ours = owner_of(sound) == item.layout.owner and _was_written_since(sound, known)
        if path.name not in known and not ours:
            yield path


def _was_written_since(sound: Path, known: dict[str, object]) -> bool:
    return known.get(sound.name) != state([sound])[str(sound)]
