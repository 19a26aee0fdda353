"""How loud several sounds are together, and what gain brings them to the target level."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tts_book.audio.bs1770 import measure_loudness
from tts_book.audio.frame_limiter import PEAK_DBFS
from tts_book.audio.limiter import limit_peaks
from tts_book.audio.mp3_frames import GAIN_STEP_DB
from tts_book.model import Sound


class Meter:
    """Adds up what is known of sounds; holds none of them.

    Loudness is the power of the segments' own (gated) loudness, each weighted by how long it
    speaks: within some tenths of what a meter shows for the joined sound.
    """

    __slots__ = ("_frames", "_peak_dbfs", "_power")

    def __init__(self, sounds: Iterable[Sound] = ()) -> None:
        self._power = 0.0
        self._frames = 0
        self._peak_dbfs = -math.inf
        for sound in sounds:
            self.add(sound)

    def add(self, sound: Sound) -> None:
        """Takes one more sound into account."""
        if sound.peak_dbfs is not None:
            self._peak_dbfs = max(self._peak_dbfs, sound.peak_dbfs)
        if sound.loudness_lufs is not None:
            frames = max(1, sound.speech_stop - sound.speech_start)
            self._power += frames * 10 ** (sound.loudness_lufs / 10)
            self._frames += frames

    @property
    def known(self) -> tuple[float, int, float | None]:
        """All that it knows, for `Meter.of`."""
        return self._power, self._frames, self.peak_dbfs

    @classmethod
    def of(cls, power: float, frames: int, peak_dbfs: float | None) -> Meter:
        """A meter restored from the values of another one."""
        meter = cls()
        meter._power, meter._frames = power, frames
        meter._peak_dbfs = -math.inf if peak_dbfs is None else peak_dbfs
        return meter

    def shifted(self, db: float) -> Meter:
        """What it would know of the same sounds, so much louder."""
        peak_dbfs = self.peak_dbfs
        power = self._power * 10 ** (db / 10)
        return Meter.of(power, self._frames, None if peak_dbfs is None else peak_dbfs + db)

    def join(self, other: Meter) -> None:
        """Takes all into account that another meter knows."""
        self._power += other._power
        self._frames += other._frames
        self._peak_dbfs = max(self._peak_dbfs, other._peak_dbfs)

    @property
    def loudness_lufs(self) -> float | None:
        """None where nothing could be measured."""
        return 10 * math.log10(self._power / self._frames) if self._frames else None

    @property
    def peak_dbfs(self) -> float | None:
        """None for digital silence."""
        return self._peak_dbfs if math.isfinite(self._peak_dbfs) else None

    @property
    def most_steps(self) -> int:
        """How many steps of gain are allowed: as many as leave the loudest peak below the ceiling;
        or, where only some words are that loud, as many as speech bears whose peaks are limited."""
        room_db = PEAK_DBFS - (self.peak_dbfs or 0.0)
        if self.loudness_lufs is not None:
            room_db = max(room_db, PEAK_DBFS - LIMITED_CREST_DB - self.loudness_lufs)
        return math.floor(max(0.0, room_db) / GAIN_STEP_DB)

    def steps_to(self, target_lufs: float) -> int:
        """How many steps of gain come nearest to the target; 0 where nothing could be measured."""
        loudness_lufs = self.loudness_lufs
        if loudness_lufs is None:
            return 0
        return min(round((target_lufs - loudness_lufs) / GAIN_STEP_DB), self.most_steps)


LIMITED_CREST_DB = 14.0  # how far the peaks of limited speech stand above its loudness at least
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
