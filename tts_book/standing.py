"""Chapters whose files stand as they should, because nothing that they are made of has changed.

A run leaves a line about each file in its record: the sounds it was joined of, what else decides
its bytes, and the file's own size and time. If all that is still so, the file need not be made
again; only the book's gain, which all chapters share, can still change it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tts_book import __version__, audio
from tts_book.cache import Cache
from tts_book.captioned import beside
from tts_book.finish import Finish
from tts_book.model import Pauses
from tts_book.opened import Open, Taken, open_chapters, tags_of
from tts_book.prepared import Prepared
from tts_book.record import path_of, told
from tts_book.selection import EVERYTHING
from tts_book.tags import Tags
from tts_book.unchanged import state

# Goes up when the same sounds are joined otherwise.
_FORM = 1


@dataclass(frozen=True, slots=True)
class Made:
    """A chapter's file and what is known of it: `steps` is the gain in it, `meter` its level
    without that, `recipe` what decides its bytes besides the gain."""

    path: Path
    frames: int
    duration_ms: int
    steps: int
    meter: audio.Meter
    recipe: str
    taken: tuple[Taken, ...]


def recipe(chapter: Open, takes: Iterable[str], pauses: Pauses, captions: Sequence[str]) -> str:
    """A fingerprint of what decides the bytes of a chapter's file and its captions."""
    digest = hashlib.sha256()
    for part in (
        _FORM,
        __version__,
        pauses,
        _without_picture(tags_of(chapter.item, chapter.chapter)),
    ):
        digest.update(f"{part!r}\n".encode("utf-8", "surrogatepass"))
    digest.update(f"{captions!r} {chapter.item.work.book.language}\n".encode())
    for chunk, take in zip(chapter.chunks, takes, strict=True):
        digest.update(f"{take} {chunk.after} {chunk.text!r}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _without_picture(tags: Tags) -> Tags | tuple[Tags, str]:
    """The tags, with a fingerprint of the cover instead of its bytes."""
    if tags.cover is None:
        return tags
    return replace(tags, cover=None), hashlib.sha256(tags.cover.data).hexdigest()


def line(made: Made, files: Iterable[Path]) -> dict[str, Any]:
    """What the record tells of a file and its captions, `files`."""
    return {
        "file": made.path.name,
        "files": _by_name(files),
        "frames": made.frames,
        "duration_ms": made.duration_ms,
        "gain_steps": made.steps,
        "level": made.meter.known,
        "recipe": made.recipe,
        "taken": [[t.take, t.duration_ms, t.attempts, t.doubts] for t in made.taken],
    }


def _by_name(files: Iterable[Path]) -> dict[str, list[int]]:
    return {Path(path).name: found for path, found in state(files).items()}


def standing(item: Prepared, pauses: Pauses, finish: Finish, cache: Cache) -> dict[Path, Made]:
    """The files of the book's chapters that need not be joined again, by their paths."""
    # Captions of a whole book are made of those of its chapters, which are not kept.
    if finish.anew or not item.layout.keeps_chapters or (item.layout.whole and finish.captions):
        return {}
    known = {line.get("file"): line for line in told(path_of(item), "made")}
    found = {}
    for chapter in open_chapters(replace(item, only=EVERYTHING)):
        made = _made(known.get(chapter.target.name), chapter.target, finish.captions)
        if made and _is_still_so(made, chapter, pauses, finish.captions, cache):
            found[chapter.target] = made
    return found


def _is_still_so(
    made: Made, chapter: Open, pauses: Pauses, captions: Sequence[str], cache: Cache
) -> bool:
    takes = [cache.take(key) or "" for key in chapter.keys]
    return (
        all(takes)
        and chapter.item.redo.isdisjoint(chapter.keys)
        and takes == [taken.take for taken in made.taken]
        and made.recipe == recipe(chapter, takes, pauses, captions)
    )


def _made(line: Any, target: Path, captions: Sequence[str]) -> Made | None:
    """What the record tells of a file, if the file is as it was left; None also where the record
    is damaged or of another version."""
    files = [target, *beside(target, captions)]
    try:
        if line["files"] != _by_name(files):
            return None
        return Made(
            target,
            int(line["frames"]),
            int(line["duration_ms"]),
            int(line["gain_steps"]),
            _meter(*line["level"]),
            str(line["recipe"]),
            tuple(Taken(take, ms, tries, tuple(odd)) for take, ms, tries, odd in line["taken"]),
        )
    except (OSError, KeyError, TypeError, ValueError):
        return None


def _meter(power: float, frames: int, peak_dbfs: float | None) -> audio.Meter:
    peak_dbfs = None if peak_dbfs is None else float(peak_dbfs)
    return audio.Meter.of(float(power), int(frames), peak_dbfs)
