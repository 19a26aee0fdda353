"""Measures a finished file from end to end: how loud it is, and where it is silent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from tts_book.audio.analysis import SILENT_DBFS
from tts_book.audio.containers import decode_any
from tts_book.audio.decoder import decode_mp3
from tts_book.audio.loudness import LoudnessMeter
from tts_book.audio.mp3_frames import CURRENCY

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WINDOW_MS = 24
_WINDOW = CURRENCY.samples  # samples
_FLOOR_PART = 50_000  # windows
_FLOOR_WINDOWS = 20  # noise is measured over half a second at least
_FULL_SCALE = 32_768.0


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


def listen(path: Path) -> Measured:
    """Decodes a whole file, in blocks. Raises AudioError where it cannot be decoded."""
    return measure(decode_mp3(path) if path.suffix.lower() == ".mp3" else decode_any(path))


def measure(blocks: Iterable[NDArray[np.int16]]) -> Measured:
    """What is found in mono sound at 24 kHz."""
    import numpy as np

    meter = LoudnessMeter(CURRENCY.rate_hz)
    sounding = bytearray()
    powers: list[NDArray[np.float32]] = []
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
            powers.append((rows.astype(np.float32) ** 2).mean(axis=1))
    power = np.concatenate(powers) if powers else np.zeros(0, np.float32)
    return Measured(
        round(samples * 1_000 / CURRENCY.rate_hz),
        meter.close(),
        _dbfs(float(peak) ** 2),
        _dbfs(float(power.mean(dtype=np.float64))) if len(power) else None,
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
    return _dbfs(min(floors)) if floors else None


def _dbfs(power: float) -> float | None:
    return round(10 * math.log10(power / _FULL_SCALE**2), 2) if power > 0 else None
