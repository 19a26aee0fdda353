"""Chapters become files: each as soon as it is spoken, all with the gain of the whole book."""

from __future__ import annotations

from pathlib import Path

from tts_book import stitcher
from tts_book.cache import Cache
from tts_book.finish import Finish
from tts_book.loudness import Loudness
from tts_book.model import Pauses
from tts_book.opened import Open, Segments, tags_of
from tts_book.stitcher import Stitched


class Bindery:
    """Writes the chapters of a run. Its methods do work on disk: call them in a thread, one at a
    time."""

    def __init__(self, cache: Cache, pauses: Pauses, finish: Finish) -> None:
        self._cache, self._pauses, self._finish = cache, pauses, finish
        self._loudness = Loudness(finish.loudness_lufs)
        self._written: dict[Path, tuple[Open, int]] = {}

    def write(self, chapter: Open) -> Stitched:
        """Writes a chapter whose chunks are all there. Raises AudioError and UserError."""
        target = chapter.item.layout.targets[chapter.chapter.number - 1]
        voice, number = _voice(chapter), chapter.chapter.number
        stitched = stitcher.stitch(
            Segments(chapter, self._cache),
            target,
            pauses=self._pauses,
            tags=tags_of(chapter.item, chapter.chapter),
            gain_steps=lambda level: self._loudness.steps(voice, number, level),
        )
        self._written[target] = (chapter, stitched.gain_steps)
        return stitched

    def settle(self) -> None:
        """Writes those chapters again that were written before their book's gain was known."""
        for chapter, steps in list(self._written.values()):
            if steps != self._loudness.settled(_voice(chapter)):
                self.write(chapter)


def _voice(chapter: Open) -> tuple[Path, str]:
    """A voice in a book of this run."""
    return chapter.item.layout.targets[0], chapter.item.cast.voice.name
