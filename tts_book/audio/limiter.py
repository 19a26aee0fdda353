"""Peaks made softer, smoothly, and nothing else: limiters for samples and for MP3 frames.

That for samples looks ahead and goes by true peak: what a converter makes of the samples, which may
lie between two of them (ITU-R BS.1770-4, annex 2). It is estimated at four times the rate, and only
where samples are near the ceiling.

MP3 frames are made louder without clipping: all by the same gain, only the loud ones by less. A
frame's gain is a field of its own, and each frame fades into the next, so that a loud word is made
softer without decoding and encoding anything again.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tts_book.audio.decoder import FrameDecoder
from tts_book.audio.loudness import PEAK_DBFS, measure_loudness
from tts_book.audio.mp3_frames import GAIN_STEP_DB, Format, amplify

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_WINDOW_S = 0.001  # gain is decided for each window
_REACH, _SLOPE = 6, 5  # windows before and after a peak that are made softer, and how smoothly
_AROUND = _REACH + _SLOPE + 1  # windows that decide about one
_TIMES, _TAPS = 4, 12
_NEAR = 0.5  # of the ceiling: quieter samples have no true peak above it
_BLOCK_S = 1
_UNCHANGED = 1 - 1e-9  # but for rounding


def limit_blocks(blocks: Iterable[Floats], rate_hz: int, ceiling: float) -> Iterator[Floats]:
    """The same samples, in blocks of their own, with no true peak above `ceiling`."""
    import numpy as np

    window = _window(rate_hz)
    halo = _AROUND * window
    before, here = np.zeros(halo), np.zeros(0)
    for after in _regroup(blocks, rate_hz * _BLOCK_S // window * window):
        if len(here):
            yield _limit_middle(before, here, after[:halo], rate_hz, ceiling)
            before = here[-halo:]
        here = after
    if len(here):
        yield _limit_middle(before, here, np.zeros(0), rate_hz, ceiling)


def _regroup(blocks: Iterable[Floats], size: int) -> Iterator[Floats]:
    """The samples in blocks of one size; the last may be shorter."""
    import numpy as np

    waiting: list[Floats] = []
    for block in blocks:
        waiting.append(block)
        if sum(map(len, waiting)) >= size:
            joined = np.concatenate(waiting)
            whole = len(joined) // size * size
            yield from (joined[at : at + size] for at in range(0, whole, size))
            waiting = [joined[whole:]]
    if any(map(len, waiting)):
        yield np.concatenate(waiting)


def _limit_middle(
    before: Floats, here: Floats, after: Floats, rate_hz: int, ceiling: float
) -> Floats:
    import numpy as np

    limited = limit_peaks(np.concatenate((before, here, after)), rate_hz, ceiling)
    return limited[len(before) : len(before) + len(here)]


def limit_peaks(samples: Floats, rate_hz: int, ceiling: float) -> Floats:
    """The samples with no true peak above `ceiling`; as they were where there is none."""
    import numpy as np

    window = _window(rate_hz)
    padded = np.pad(samples, (0, -len(samples) % window))
    peaks = true_peaks(padded, _NEAR * ceiling).reshape(-1, window).max(axis=1, initial=0.0)
    if peaks.max(initial=0.0) <= ceiling:
        return samples
    wanted = np.minimum(1.0, ceiling / np.maximum(peaks, ceiling))
    around = np.pad(wanted, _REACH, constant_values=1.0)
    lowest = np.lib.stride_tricks.sliding_window_view(around, 2 * _REACH + 1).min(axis=1)
    slope = np.hanning(2 * _SLOPE + 3)[1:-1]
    smooth = np.convolve(np.pad(lowest, _SLOPE, mode="edge"), slope / slope.sum(), "valid")
    # Most windows stay as they are; one that is next to a softer one is blended into it.
    softer = np.convolve(smooth < _UNCHANGED, np.ones(3), "same") > 0
    changed = np.flatnonzero(np.repeat(softer, window)[: len(samples)])
    centres = (np.arange(len(smooth)) + 0.5) * window
    limited = samples.copy()
    limited[changed] *= np.interp(changed, centres, smooth)
    return limited


def true_peaks(samples: Floats, above: float) -> Floats:
    """The highest absolute value at and just behind each sample; between samples it is looked for
    where one is higher than `above`."""
    import numpy as np

    peaks = np.abs(samples)
    is_near = peaks > above
    # Both sides of a high sample: the peak may lie before it.
    is_near[:-1] |= is_near[1:]
    near = np.flatnonzero(is_near)
    if len(near):
        half = _TAPS // 2
        padded = np.pad(samples, (half - 1, half))
        around = np.lib.stride_tricks.sliding_window_view(padded, _TAPS)[near]
        # Not "@": that starts threads of its own, on cores that are busy speaking.
        between = np.abs(np.einsum("nt,tp->np", around, _phases())).max(axis=1)
        peaks[near] = np.maximum(peaks[near], between)
    return peaks


@functools.cache
def _phases() -> Floats:
    """What weighs twelve samples to give the values between the middle two of them."""
    import numpy as np

    at = np.arange(_TAPS) - (_TAPS // 2 - 1)
    columns = []
    for phase in range(1, _TIMES):
        away = at - phase / _TIMES
        bell = np.cos(np.pi * away / (_TAPS + 1)) ** 2
        weights = np.sinc(away) * bell
        columns.append(weights / weights.sum())
    return np.stack(columns, axis=1)


def _window(rate_hz: int) -> int:
    return max(1, round(rate_hz * _WINDOW_S))


# Samples of an engine -----------------------------------------------------------------------------

CREST_DB = 16.0  # how far a peak may stand above the loudness
_FULL_SCALE = 32_768


def round_off(pcm: bytes, rate_hz: int, crest_db: float = CREST_DB) -> bytes:
    """Mono 16-bit PCM whose peaks stand at most `crest_db` above its loudness. As it was where
    they do already, or where there is too little sound to measure."""
    import numpy as np

    samples = np.frombuffer(pcm, "<i2")
    loudness_lufs = measure_loudness(samples, rate_hz)
    if loudness_lufs is None:
        return pcm
    ceiling = _FULL_SCALE * 10 ** ((loudness_lufs + crest_db) / 20)
    limited = limit_peaks(samples.astype(np.float64), rate_hz, ceiling)
    return np.clip(np.rint(limited), -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2").tobytes()


# MP3 frames ---------------------------------------------------------------------------------------

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
