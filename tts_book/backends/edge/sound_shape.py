"""How loud a reply is, moment by moment: where speech and silence are, by the voice's own floor.

Silence in real replies lies between -57 and -100 dBFS, differs from voice to voice, and is seldom
digital zero (measured in 318 recordings), so it is looked for by its level against the speech.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HOP_S = 0.008
_HOP_SAMPLES = 192  # at 24 kHz: a third of a frame
_LEAST_DBFS = -110.0
# What is quieter than this as a whole holds no speech: silences reach -57 dBFS, and the softest
# voice's speech lies 20 dB above that.
NO_SPEECH_DBFS = -50.0
# Between silence and speech: above the floor by more than its own ripple, far enough below the
# speech that its soft sounds count, and never so near to it that pauses are lost in a reply
# without any.
_ABOVE_FLOOR_DB, _BELOW_SPEECH_DB, _NEAR_SPEECH_DB = 7.0, 32.0, 18.0
_USUAL_DBFS = -50.0
# Shorter sounds in a silence are clicks; shorter silences in speech are the gaps of consonants.
_CLICK_HOPS = 2
PAUSE_S = 0.08


@dataclass(frozen=True, slots=True)
class Shape:
    """`loud` has a value for each HOP_S of the sound: whether somebody speaks. `summed` are its
    sums from the beginning (one more value). `speech_dbfs` is how loud the speech is."""

    loud: NDArray[np.bool_]
    summed: NDArray[np.int64]
    speech_dbfs: float
    floor_dbfs: float

    @property
    def length_s(self) -> float:
        """All of the sound."""
        return len(self.loud) * HOP_S

    @property
    def loud_s(self) -> float:
        """How long somebody speaks, without any silence."""
        return int(self.summed[-1]) * HOP_S

    @property
    def begin_s(self) -> float:
        """Where the speech begins; the end where there is none."""
        import numpy as np

        return float(np.argmax(self.loud)) * HOP_S if self.summed[-1] else self.length_s

    @property
    def end_s(self) -> float:
        """Where the speech ends; 0 where there is none."""
        import numpy as np

        last = len(self.loud) - int(np.argmax(self.loud[::-1]))
        return last * HOP_S if self.summed[-1] else 0.0

    @property
    def span_s(self) -> float:
        """From the first sound of speech to its last."""
        return max(0.0, self.end_s - self.begin_s)

    @property
    def tail_s(self) -> float:
        """The silence after the speech."""
        return self.length_s - self.end_s

    @property
    def is_silent(self) -> bool:
        """Whether nobody speaks in it at all."""
        return self.speech_dbfs < NO_SPEECH_DBFS or not self.summed[-1]

    def loud_between(self, start_s: float, stop_s: float) -> float:
        """For how many seconds somebody speaks between two times."""
        first = min(max(0, round(start_s / HOP_S)), len(self.loud))
        last = min(max(first, round(stop_s / HOP_S)), len(self.loud))
        return int(self.summed[last] - self.summed[first]) * HOP_S

    def silences(self, least_s: float = PAUSE_S) -> list[tuple[float, float]]:
        """The silences inside the speech of at least that length, from when to when."""
        import numpy as np

        first, last = round(self.begin_s / HOP_S), round(self.end_s / HOP_S)
        edges = np.diff(self.loud[first:last].astype(np.int8), prepend=1, append=1)
        begins, ends = np.flatnonzero(edges == -1) + first, np.flatnonzero(edges == 1) + first
        pairs = zip(begins.tolist(), ends.tolist(), strict=True)
        return [(a * HOP_S, b * HOP_S) for a, b in pairs if (b - a) * HOP_S >= least_s]


def measure_shape(pcm: bytes) -> Shape:
    """The shape of mono 16-bit sound at 24 kHz."""
    import numpy as np

    samples = np.frombuffer(pcm, "<i2")
    count = len(samples) // _HOP_SAMPLES
    rows = samples[: count * _HOP_SAMPLES].reshape(-1, _HOP_SAMPLES).astype(np.float32)
    power = np.einsum("ij,ij->i", rows, rows) / (_HOP_SAMPLES * 32_768.0**2)
    levels = 10 * np.log10(np.maximum(power, 10 ** (_LEAST_DBFS / 10)))
    if not count:
        return Shape(np.zeros(0, np.bool_), np.zeros(1, np.int64), _LEAST_DBFS, _LEAST_DBFS)
    speech_dbfs, floor_dbfs = (float(np.percentile(levels, share)) for share in (95, 4))
    limit = max(floor_dbfs + _ABOVE_FLOOR_DB, min(speech_dbfs - _BELOW_SPEECH_DB, _USUAL_DBFS))
    loud = _without_clicks(levels > min(limit, speech_dbfs - _NEAR_SPEECH_DB))
    summed = np.concatenate((np.zeros(1, np.int64), np.cumsum(loud, dtype=np.int64)))
    return Shape(loud, summed, round(speech_dbfs, 1), round(floor_dbfs, 1))


def _without_clicks(loud: NDArray[np.bool_]) -> NDArray[np.bool_]:
    import numpy as np

    edges = np.diff(loud.astype(np.int8), prepend=0, append=0)
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        if end - begin < _CLICK_HOPS:
            loud[begin:end] = False
    return loud
