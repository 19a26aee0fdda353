"""How loud samples are, and peaks rounded off: then speech can be as loud as other voices are
without clipping.

Engines on this machine leave peaks 20 dB and more above their loudness, recorded voices 12 to 16.
Only the few milliseconds around such a peak are touched, and before the sound is encoded.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CREST_DB = 16.0  # how far a peak may stand above the loudness
_BLOCK_S = 0.001
_REACH, _SLOPE = 6, 5  # blocks before and after a peak that are made softer, and how smoothly
_FULL_SCALE = 32_768


def loudness_of(samples: NDArray[np.int16], rate_hz: int) -> float | None:
    """LUFS of mono samples; None where they are too few or too quiet to measure."""
    import pyebur128

    state = pyebur128.R128State(1, rate_hz, pyebur128.MeasurementMode.MODE_I)
    state.add_frames(samples.astype("int16"), len(samples))
    lufs: float = pyebur128.get_loudness_global(state)
    return round(lufs, 2) if math.isfinite(lufs) else None


def round_off(pcm: bytes, rate_hz: int, crest_db: float = CREST_DB) -> bytes:
    """Mono 16-bit PCM whose peaks stand at most `crest_db` above its loudness. As it was where
    they do already, or where there is too little sound to measure."""
    import numpy as np

    samples = np.frombuffer(pcm, "<i2")
    loudness_lufs = loudness_of(samples, rate_hz)
    if loudness_lufs is None:
        return pcm
    ceiling = _FULL_SCALE * 10 ** ((loudness_lufs + crest_db) / 20)
    size = max(1, round(rate_hz * _BLOCK_S))
    padded = np.pad(samples.astype(np.float64), (0, -len(samples) % size))
    peaks = np.abs(padded.reshape(-1, size)).max(axis=1)
    if not math.isfinite(ceiling) or peaks.max() <= ceiling:
        return pcm
    wanted = np.minimum(1.0, ceiling / np.maximum(peaks, 1.0))
    around = np.pad(wanted, _REACH, constant_values=1.0)
    lowest = np.lib.stride_tricks.sliding_window_view(around, 2 * _REACH + 1).min(axis=1)
    slope = np.hanning(2 * _SLOPE + 1)
    smooth = np.convolve(np.pad(lowest, _SLOPE, mode="edge"), slope / slope.sum(), "valid")
    centres = (np.arange(len(smooth)) + 0.5) * size
    gain = np.interp(np.arange(len(samples)), centres, smooth)
    return np.rint(samples * gain).astype("<i2").tobytes()
