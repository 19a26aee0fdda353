"""Is this sound whole? Checks that need no marks: only samples, the text, and what is known of the
voice.

A finding is no proof: an engine may end every text abruptly, or pause for long. What a voice does
in most of its replies is a trait of it, and no longer a finding.
"""

from __future__ import annotations

from collections import deque
from statistics import median

from tts_book.audio import SpeechShape

LONGEST_SILENCE_MS = 3_500
# How far a voice may be from the usual speed of its language, and from its own once it is known.
UNKNOWN_PACE, KNOWN_PACE = (0.4, 2.6), (0.7, 1.45)
_PACE_CHARACTERS, _PACE_SAMPLES = 60, 5
_LETTER_SHARE = 0.75
# Short texts are where engines babble; a few words do not take this long.
_BABBLE = 3.5
_REMEMBERED, _TRAIT_SAMPLES, _TRAIT_SHARE = 20, 4, 0.5


class VoiceTraits:
    """What is learned of one voice from its replies: its pace, and what it does in most of them."""

    def __init__(self) -> None:
        self._paces: deque[float] = deque(maxlen=100)
        self._kinds: deque[frozenset[str]] = deque(maxlen=_REMEMBERED)

    def find_fault(self, shape: SpeechShape, text: str, estimated_ms: int) -> str:
        """What is suspicious about a reply, "" if nothing; `estimated_ms` is how long the text
        takes in its language at this rate."""
        found = _faults(shape, text, self._expected_ms(estimated_ms), known=self._is_known)
        self._kinds.append(frozenset(found))
        return next((what for kind, what in found.items() if not self._is_trait(kind)), "")

    def learn(self, shape: SpeechShape, text: str, estimated_ms: int) -> None:
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


def _faults(shape: SpeechShape, text: str, expected_ms: float, *, known: bool) -> dict[str, str]:
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
