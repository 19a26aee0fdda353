"""What is found out about sound: about the frames of a chunk when they come, so that no later step
need decode them; and about a finished file from end to end, how loud and where it is silent.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from tts_book.audio.decoder import decode, decode_any, decode_mp3
from tts_book.audio.loudness import LoudnessMeter, measure_loudness
from tts_book.audio.mp3_frames import CURRENCY, Format, format_at, is_digital_silence
from tts_book.model import Sound

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VERSION = 2
SILENT_DBFS = -50.0  # a frame whose peak stays below holds no speech
# Where a voice's room is louder than that, its own floor decides: the peak below which a twentieth
# of its frames stay. What is louder than the last of these is no silence for anybody.
_FLOOR_SHARE, _ABOVE_FLOOR_DB, _LOUDEST_SILENCE_DBFS = 0.05, 8.0, -36.0
_SHORTEST_STRETCH = 4  # frames; shorter ones belong to the sounds around them
_FULL_SCALE = 32_768


def analyse(frames: bytes, pcm: bytes | None = None) -> Sound:
    """Where speech begins and ends in whole frames, where it pauses, how loud it is. `pcm` is what
    `decode` made of the frames, where somebody has it. Raises AudioError for frames that cannot be
    decoded."""
    form = format_at(frames)
    if is_digital_silence(frames, form):
        return _sound(form, len(frames) // form.frame_bytes)
    import numpy as np

    if pcm is None:
        pcm, _ = decode(frames)
    samples = np.frombuffer(pcm, "<i2")
    rows = samples.reshape(-1, form.samples)  # one a frame
    # The negative of -32768 has no 16 bits, hence the wider type; only for the peaks.
    highest, lowest = rows.max(axis=1).astype(np.int32), rows.min(axis=1).astype(np.int32)
    peaks = np.maximum(highest, -lowest)
    limit = _silence_limit(peaks)
    speech = np.flatnonzero(peaks > limit)
    start, stop = (int(speech[0]), int(speech[-1]) + 1) if len(speech) else (0, 0)
    quiet = _stretches(peaks <= limit, start, stop)
    return _sound(
        form,
        len(peaks),
        speech=(start, stop),
        quiet=quiet,
        runs_ms=tuple(_runs_ms(rows, limit, (start, stop), quiet, form)) if stop else (),
        loudness_lufs=measure_loudness(samples, form.rate_hz),
        peak_dbfs=_dbfs(int(peaks.max())),
    )


def _sound(
    form: Format,
    frames: int,
    *,
    speech: tuple[int, int] = (0, 0),
    quiet: tuple[tuple[int, int], ...] = (),
    runs_ms: tuple[tuple[int, int], ...] = (),
    loudness_lufs: float | None = None,
    peak_dbfs: float | None = None,
) -> Sound:
    return Sound(
        version=VERSION,
        frames=frames,
        frame_bytes=form.frame_bytes,
        samples_per_frame=form.samples,
        rate_hz=form.rate_hz,
        speech_start=speech[0],
        speech_stop=speech[1],
        quiet=quiet,
        loudness_lufs=loudness_lufs,
        peak_dbfs=peak_dbfs,
        runs_ms=runs_ms,
    )


def _silence_limit(peaks: NDArray[np.int32]) -> float:
    """The peak below which frames of this voice are silent."""
    import numpy as np

    floor_dbfs = _dbfs(int(np.quantile(peaks, _FLOOR_SHARE)))
    if floor_dbfs is None:
        return _level(SILENT_DBFS)
    own_dbfs = min(floor_dbfs + _ABOVE_FLOOR_DB, _LOUDEST_SILENCE_DBFS)
    return _level(max(SILENT_DBFS, own_dbfs))


def _runs_ms(
    rows: NDArray[np.int16],
    limit: float,
    speech: tuple[int, int],
    quiet: tuple[tuple[int, int], ...],
    form: Format,
) -> Iterator[tuple[int, int]]:
    """From when to when something is heard between two quiet stretches, to the millisecond."""
    import numpy as np

    edges = [speech[0], *(at for stretch in quiet for at in stretch), speech[1]]
    for first, stop in zip(edges[::2], edges[1::2], strict=True):
        opening, closing = rows[first].astype(np.int32), rows[stop - 1, ::-1].astype(np.int32)
        begin = first * form.samples + int(np.argmax(np.abs(opening) > limit))
        end = stop * form.samples - int(np.argmax(np.abs(closing) > limit))
        yield round(begin * 1_000 / form.rate_hz), round(end * 1_000 / form.rate_hz)


def _stretches(low: NDArray[np.bool_], start: int, stop: int) -> tuple[tuple[int, int], ...]:
    """The runs of true values between `start` and `stop` that are long enough to matter."""
    import numpy as np

    edges = np.diff(low[start:stop].astype(np.int8), prepend=0, append=0)
    begins, ends = np.flatnonzero(edges == 1) + start, np.flatnonzero(edges == -1) + start
    pairs = zip(begins.tolist(), ends.tolist(), strict=True)
    return tuple((a, b) for a, b in pairs if b - a >= _SHORTEST_STRETCH)


def _level(dbfs: float) -> float:
    return _FULL_SCALE * 10 ** (dbfs / 20)


def _dbfs(peak: int) -> float | None:
    return round(20 * math.log10(peak / _FULL_SCALE), 2) if peak else None


# Finished files -----------------------------------------------------------------------------------

WINDOW_MS = 24
_WINDOW = CURRENCY.samples  # samples
_FLOOR_PART = 50_000  # windows
_FLOOR_WINDOWS = 20  # noise is measured over half a second at least


@dataclass(frozen=True, slots=True)
class Measured:
    """`sounding` has a byte for each window of WINDOW_MS: 1 where something is heard. Levels are
    None in digital silence; `rms_dbfs` is over all of the file, `floor_dbfs` over its quietest
    half second that is no digital silence."""

    duration_ms: int
    loudness_lufs: float | None
    peak_dbfs: float | None
    rms_dbfs: float | None
    floor_dbfs: float | None
    sounding: bytes

    def sounding_ms(self, start_ms: float, stop_ms: float) -> int:
        """For how long something is heard between two times."""
        first, last = round(start_ms / WINDOW_MS), round(stop_ms / WINDOW_MS)
        return sum(self.sounding[max(0, first) : max(0, last)]) * WINDOW_MS

    def silences(self, least_ms: float) -> Iterator[tuple[int, int]]:
        """The silences of at least that length, from when to when."""
        at = 0
        for sounds, run in groupby(self.sounding):
            length = sum(1 for _ in run)
            if not sounds and length * WINDOW_MS >= least_ms:
                yield at * WINDOW_MS, (at + length) * WINDOW_MS
            at += length


def measure_file(path: Path) -> Measured:
    """Decodes a whole file, in blocks. Raises AudioError where it cannot be decoded."""
    return measure_blocks(decode_mp3(path) if path.suffix.lower() == ".mp3" else decode_any(path))


def measure_blocks(blocks: Iterable[NDArray[np.int16]]) -> Measured:
    """What is found in mono sound at 24 kHz."""
    import numpy as np

    meter = LoudnessMeter(CURRENCY.rate_hz)
    sounding = bytearray()
    powers = array("f")
    peak = samples = 0
    left = np.zeros(0, np.int16)
    for block in blocks:
        if not len(block):
            continue
        meter.add(block)
        samples += len(block)
        whole = np.concatenate((left, block))
        count = len(whole) // _WINDOW
        rows, left = whole[: count * _WINDOW].reshape(-1, _WINDOW), whole[count * _WINDOW :]
        if count:
            peaks = np.abs(rows.astype(np.int32)).max(axis=1)
            peak = max(peak, int(peaks.max()))
            limit = _FULL_SCALE * 10 ** (SILENT_DBFS / 20)
            sounding += (peaks > limit).astype(np.uint8).tobytes()
            powers.frombytes((rows.astype(np.float32) ** 2).mean(axis=1).tobytes())
    power = np.frombuffer(powers, np.float32)
    return Measured(
        round(samples * 1_000 / CURRENCY.rate_hz),
        meter.close(),
        _power_dbfs(float(peak) ** 2),
        _power_dbfs(float(power.mean(dtype=np.float64))) if len(power) else None,
        _floor(power),
        bytes(sounding),
    )


def _floor(power: NDArray[np.float32]) -> float | None:
    """The quietest half second that is no digital silence; looked for in parts, to save memory."""
    import numpy as np

    floors = []
    for at in range(0, len(power) - _FLOOR_WINDOWS + 1, _FLOOR_PART):
        part = power[at : at + _FLOOR_PART + _FLOOR_WINDOWS - 1].astype(np.float64)
        sums = np.cumsum(np.concatenate(([0.0], part)))
        means = (sums[_FLOOR_WINDOWS:] - sums[:-_FLOOR_WINDOWS]) / _FLOOR_WINDOWS
        floors += [float(noisy.min())] if len(noisy := means[means > 0.01]) else []
    return _power_dbfs(min(floors)) if floors else None


def _power_dbfs(power: float) -> float | None:
    return round(10 * math.log10(power / _FULL_SCALE**2), 2) if power > 0 else None
