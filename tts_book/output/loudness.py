"""One gain for each voice of a book, known better with every chapter.

Chapters are written as soon as they are spoken, so their gain is at first what the chapters so far
ask for. When the run ends, the gain of all of them is settled, and those that were written with
another are written again: that copies frames and costs seconds. So what is heard depends on the
book alone, not on the order in which it was spoken.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable

from tts_book.audio import Meter


class Loudness:
    """Levels of chapters by voice, and the steps of gain that bring each voice to the target.
    Without a target every gain is 0."""

    def __init__(self, target_lufs: float | None) -> None:
        self.target_lufs = target_lufs
        self._levels: dict[Hashable, dict[int, Meter]] = defaultdict(dict)
        self._so_far: dict[Hashable, Meter] = defaultdict(Meter)
        self._wholes: dict[Hashable, Meter] = {}

    def steps(self, voice: Hashable, chapter: int, level: Meter) -> int:
        """Takes a chapter's level (without gain) into account; the gain for it, as far as can be
        told by now."""
        before = self._levels[voice].get(chapter)
        if before and before.known == level.known:
            return self.settled(voice)
        self._levels[voice][chapter] = level
        self._wholes.pop(voice, None)
        so_far = self._so_far[voice]
        so_far.join(level)
        return 0 if self.target_lufs is None else so_far.steps_to(self.target_lufs)

    def settled(self, voice: Hashable) -> int:
        """The gain that fits all chapters of this voice, such that none clips."""
        return 0 if self.target_lufs is None else self.level(voice).steps_to(self.target_lufs)

    def level(self, voice: Hashable) -> Meter:
        """All chapters of this voice together, without gain, in their order."""
        if voice not in self._wholes:
            whole = self._wholes[voice] = Meter()
            for _, level in sorted(self._levels[voice].items()):
                whole.join(level)
        return self._wholes[voice]
