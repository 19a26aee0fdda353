"""MP3 frames made louder without clipping: all by the same gain, only the loud ones by less.

A frame's gain is a field of its own, and each frame fades into the next, so that a loud word is
made softer without decoding and encoding anything again.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tts_book.audio.decoder import FrameDecoder
from tts_book.audio.mp3_frames import GAIN_STEP_DB, Format, amplify

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PEAK_DBFS = -1.5  # of samples; between two of them a peak of speech is hardly half a dB higher
_SLOPE_STEPS = 2  # by how much two neighbouring frames may differ: 3 dB in 24 ms
_TRIES = 8


def amplify_limited(frames: bytes, steps: int, form: Format) -> bytes:
    """The frames made louder by `steps` of GAIN_STEP_DB, those less whose peaks would come out
    above PEAK_DBFS. Raises AudioError where they cannot be decoded."""
    import numpy as np

    ceiling = 10 ** (PEAK_DBFS / 20)
    less = np.zeros(len(frames) // form.frame_bytes, np.int32)
    for _ in range(_TRIES):
        louder = amplify(frames, steps - less, form)
        peaks = FrameDecoder().find_peaks(louder, form)
        if not len(peaks) or peaks.max() <= ceiling:
            break
        over_db = 20 * np.log10(np.maximum(peaks, ceiling) / ceiling)
        less += _spread(np.ceil(over_db / GAIN_STEP_DB).astype(np.int32))
        less = _sloped(less)
    return louder


def _spread(over: NDArray[np.int32]) -> NDArray[np.int32]:
    """What is heard of a frame comes half of the frame before it."""
    import numpy as np

    before = np.append(over[1:], 0)
    spread: NDArray[np.int32] = np.maximum(over, before)
    return spread


def _sloped(less: NDArray[np.int32]) -> NDArray[np.int32]:
    """The same with gentle slopes on both sides of what is made softer."""
    import numpy as np

    sloped = less.copy()
    for away in range(1, math.ceil(int(less.max()) / _SLOPE_STEPS)):
        lower = less - _SLOPE_STEPS * away
        sloped[away:] = np.maximum(sloped[away:], lower[:-away])
        sloped[:-away] = np.maximum(sloped[:-away], lower[away:])
    return sloped
