"""Whether a sound is long enough for words that a recogniser did not hear.

A recogniser leaves words out that are there. If they are there, time passes while they are said:
more than the words around them need at the pace of this chunk. If they were cut out, it does not,
and if they were silenced, nothing is heard while it passes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tts_book.audio.decoder import SPEECH_RATE_HZ

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tts_book.output.inspection.ear.comparison import Difference

_FRAME = SPEECH_RATE_HZ // 100
# Quieter than this part of the loud frames is a pause.
_PAUSE_SHARE = 0.08
# The times of single words are rough: a few on either side are measured along.
_WORDS_AROUND = 3
# So much of the time for the missing words must be missing, too.
_LACK_SHARE, _LACK_S = 0.5, 0.5


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word, and when it is heard."""

    text: str
    start_s: float
    stop_s: float


def join_words(words: Sequence[HeardWord]) -> str:
    """What was heard, as one text."""
    return " ".join(word.text for word in words)


class SpeechClock:
    """How much speech a sound holds, beside how much its words need."""

    def __init__(self, samples: NDArray[np.float32], words: Sequence[HeardWord]) -> None:
        import numpy as np

        frames = len(samples) // _FRAME
        blocks = samples[: frames * _FRAME].reshape(frames, _FRAME)
        loudness = np.sqrt((blocks**2).mean(axis=1)) if frames else np.zeros(0, np.float32)
        loud = loudness > _PAUSE_SHARE * np.percentile(loudness, 90) if frames else loudness > 0
        self._spoken_frames = np.concatenate([[0], np.cumsum(loud)])
        self._words = words
        ends, at = [], -1
        for word in words:
            at += len(word.text) + 1
            ends.append(at)
        self._ends = ends  # of each word in the joined text
        plain = [word for word in words if _is_plain(word)]
        letters = sum(map(_count_letters, plain))
        spoken_s = sum(self._spoken_s(word.start_s, word.stop_s) for word in plain)
        self._s_per_letter = spoken_s / letters if letters else 0.0

    def lacks(self, difference: Difference) -> bool:
        """Whether there is too little speech at this place for the words that were not heard."""
        needed_s = difference.letters * self._s_per_letter
        if not self._words or needed_s <= 0:
            return False
        first = bisect_right(self._ends, difference.heard_start)
        last = bisect_left(self._ends, difference.heard_stop) + 1
        first = max(0, first - _WORDS_AROUND)
        last = min(len(self._words), max(first, last) + _WORDS_AROUND)
        around = self._words[first:last]
        start_s = around[0].start_s if first else 0.0
        stop_s = around[-1].stop_s if last < len(self._words) else float("inf")
        around_s = sum(
            _count_letters(word) * self._s_per_letter
            if _is_plain(word)
            else self._spoken_s(word.start_s, word.stop_s)
            for word in around
        )
        lacking_s = around_s + needed_s - self._spoken_s(start_s, stop_s)
        return lacking_s >= max(_LACK_S, _LACK_SHARE * needed_s)

    def _spoken_s(self, start_s: float, stop_s: float) -> float:
        last = len(self._spoken_frames) - 1
        start, stop = (int(max(0.0, min(at, last / 100)) * 100) for at in (start_s, stop_s))
        return float(self._spoken_frames[stop] - self._spoken_frames[start]) / 100


def _is_plain(word: HeardWord) -> bool:
    """Whether it is said as it is written: no number, no abbreviation."""
    return word.text.strip(".,;:!?…\"'”“«»—–-()").isalpha() and not word.text.isupper()


def _count_letters(word: HeardWord) -> int:
    return sum(map(str.isalnum, word.text)) + 1
