"""One gain for each voice of a book, known better with every chapter.

Chapters are written as soon as they are spoken, so their gain is at first what the chapters so far
ask for. When the run ends, the gain of all of them is settled, and those that were written with
another are written again: that copies frames and costs seconds. So what is heard depends on the
book alone, not on the order in which it was spoken.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from tts_book.audio import GAIN_STEP_DB, Meter

Voice = tuple[int, str]
"""A voice of a book: the number of the book in its run, and the voice's name."""

OFF_TARGET_DB = 1.6  # a step of gain, and what rounding to whole steps may add


@dataclass(frozen=True, slots=True)
class OffTarget:
    """A voice that could not be brought to the target, since it would clip or be squashed."""

    voice: str
    loudness_lufs: float
    target_lufs: float


class Loudness:
    """Levels of chapters by voice, and the steps of gain that bring each voice to the target.
    Without a target every gain is 0."""

    def __init__(self, target_lufs: float | None) -> None:
        self.target_lufs = target_lufs
        self._levels: dict[Voice, dict[int, Meter]] = defaultdict(dict)
        self._so_far: dict[Voice, Meter] = defaultdict(Meter)
        self._wholes: dict[Voice, Meter] = {}

    def steps(self, voice: Voice, chapter: int, level: Meter) -> int:
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

    def settled(self, voice: Voice) -> int:
        """The gain that fits all chapters of this voice, such that none clips."""
        return 0 if self.target_lufs is None else self.level(voice).steps_to(self.target_lufs)

    def find_off_target(self) -> Iterator[OffTarget]:
        """The voices that come out louder or softer than asked for by more than OFF_TARGET_DB."""
        for voice in self._levels:
            loudness_lufs = self.level(voice).loudness_lufs
            if self.target_lufs is None or loudness_lufs is None:
                continue
            reached_lufs = loudness_lufs + self.settled(voice) * GAIN_STEP_DB
            if abs(self.target_lufs - reached_lufs) > OFF_TARGET_DB:
                yield OffTarget(voice[1], reached_lufs, self.target_lufs)

    def level(self, voice: Voice) -> Meter:
        """All chapters of this voice together, without gain, in their order."""
        if voice not in self._wholes:
            whole = self._wholes[voice] = Meter()
            for _, level in sorted(self._levels[voice].items()):
                whole.join(level)
        return self._wholes[voice]
