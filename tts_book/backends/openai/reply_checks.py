"""Is this sound whole? Checks that need no marks: only samples, the text, and what is known of the
voice.

A finding is no proof: an engine may end every text abruptly, or pause for long. What a voice does
in most of its replies is a trait of it, and no longer a finding.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WINDOW_MS = 10
_SILENT_DBFS = -50.0
# Speech that stops, stops within a few windows; sound that is cut is as loud at its end as before.
_END_MS, _CUT_DB = 20, 14.0
LONGEST_SILENCE_MS = 3_500
# How far a voice may be from the usual speed of its language, and from its own once it is known.
UNKNOWN_PACE, KNOWN_PACE = (0.4, 2.6), (0.7, 1.45)
_PACE_CHARACTERS, _PACE_SAMPLES = 60, 5
_LETTER_SHARE = 0.75
# Short texts are where engines babble; a few words do not take this long.
_BABBLE = 3.5
_REMEMBERED, _TRAIT_SAMPLES, _TRAIT_SHARE = 20, 4, 0.5


@dataclass(frozen=True, slots=True)
class SoundShape:
    """What of a sound matters here, in ms. `ends_loud`: its last window is as loud as speech."""

    length_ms: int
    begins_ms: int
    ends_ms: int
    longest_silence_ms: int
    ends_loud: bool

    @property
    def has_speech(self) -> bool:
        """Whether anything is louder than silence."""
        return self.ends_ms > self.begins_ms


def measure_shape(pcm: bytes, rate_hz: int) -> SoundShape:
    """The shape of mono 16-bit PCM."""
    import numpy as np

    size = max(1, rate_hz * _WINDOW_MS // 1_000)
    samples = np.frombuffer(pcm, "<i2").astype(np.float64)
    length_ms = len(samples) * 1_000 // rate_hz
    count = len(samples) // size
    levels: NDArray[np.float64] = np.full(0, -120.0)
    if count:
        # From the end, so that the last window is whole.
        rows = samples[len(samples) - count * size :].reshape(count, size)
        levels = 10 * np.log10(np.maximum(np.mean(rows**2, axis=1), 1e-3) / 32_768**2)
    loud = np.flatnonzero(levels > _SILENT_DBFS)
    if not len(loud):
        return SoundShape(length_ms, 0, 0, 0, ends_loud=False)
    speech_db = float(np.median(levels[loud]))
    last_db = float(levels[-(_END_MS // _WINDOW_MS) :].min())
    gaps = np.diff(loud) - 1
    return SoundShape(
        length_ms,
        int(loud[0]) * _WINDOW_MS,
        (int(loud[-1]) + 1) * _WINDOW_MS,
        int(gaps.max(initial=0)) * _WINDOW_MS,
        ends_loud=last_db > speech_db - _CUT_DB,
    )


class VoiceTraits:
    """What is learned of one voice from its replies: its pace, and what it does in most of them."""

    def __init__(self) -> None:
        self._paces: deque[float] = deque(maxlen=100)
        self._kinds: deque[frozenset[str]] = deque(maxlen=_REMEMBERED)

    def find_fault(self, shape: SoundShape, text: str, estimated_ms: int) -> str:
        """What is suspicious about a reply, "" if nothing; `estimated_ms` is how long the text
        takes in its language at this rate."""
        found = _faults(shape, text, self._expected_ms(estimated_ms), known=self._is_known)
        self._kinds.append(frozenset(found))
        return next((what for kind, what in found.items() if not self._is_trait(kind)), "")

    def learn(self, shape: SoundShape, text: str, estimated_ms: int) -> None:
        """Takes notice of a reply that was accepted."""
        if len(text) >= _PACE_CHARACTERS and _is_prose(text) and estimated_ms:
            self._paces.append((shape.ends_ms - shape.begins_ms) / estimated_ms)

    @property
    def _is_known(self) -> bool:
        return len(self._paces) >= _PACE_SAMPLES

    def _expected_ms(self, estimated_ms: int) -> float:
        return estimated_ms * (median(self._paces) if self._is_known else 1.0)

    def _is_trait(self, kind: str) -> bool:
        """Whether the voice does this in most of its replies."""
        times = sum(kind in kinds for kinds in self._kinds)
        seen = len(self._kinds)
        return seen >= _TRAIT_SAMPLES and times > seen * _TRAIT_SHARE


def _faults(shape: SoundShape, text: str, expected_ms: float, *, known: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    if shape.ends_loud:
        found["end"] = "the sound stops in the middle of speech"
    if shape.longest_silence_ms > LONGEST_SILENCE_MS:
        silence_s = shape.longest_silence_ms / 1_000
        found["silence"] = f"there is a silence of {silence_s:.1f} s inside"
    spoken_ms = shape.ends_ms - shape.begins_ms
    least, most = KNOWN_PACE if known else UNKNOWN_PACE
    told = f"{spoken_ms / 1_000:.1f} s of speech where {expected_ms / 1_000:.1f} s are expected"
    if len(text) >= _PACE_CHARACTERS and _is_prose(text):
        if spoken_ms < least * expected_ms:
            found["short"] = told
        elif spoken_ms > most * expected_ms:
            found["long"] = told
    elif spoken_ms > _BABBLE * expected_ms + 2_000 and _is_prose(text):
        found["babble"] = told
    return found


def _is_prose(text: str) -> bool:
    """Whether letters and blanks make up most of it: digits and signs take any time."""
    letters = sum(character.isalpha() or character.isspace() for character in text)
    return letters >= _LETTER_SHARE * len(text)
