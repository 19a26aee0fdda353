"""How loud sound is (ITU-R BS.1770-4, mono, any rate), and the gain that brings it to a target.

The K-weighting filter runs over blocks of samples: within a block as one matrix product, from
block to block by doubling, so that no sample is touched in Python.

A book has one gain for each voice, known better with every chapter. Chapters are written as soon as
they are spoken, so their gain is at first what the chapters so far ask for. When the run ends, the
gain of all of them is settled, and those that were written with another are written again: that
copies frames and costs seconds. So what is heard depends on the book alone, not on the order in
which it was spoken.
"""

from __future__ import annotations

import functools
import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tts_book.audio.mp3_frames import GAIN_STEP_DB
from tts_book.model import Sound

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_BLOCK = 32  # samples filtered as one product
_AT_ONCE = 192 * _BLOCK  # products that fit a processor's cache and are too small for threads
_RINGS_S = 0.1  # after which the filter has forgotten what it heard
_FULL_SCALE = 32_768.0
_STEPS_PER_S, _STEPS_PER_WINDOW = 10, 4  # a window is 400 ms long and one begins every 100 ms
_OFFSET_LUFS = -0.691
_ABSOLUTE_GATE_LUFS, _RELATIVE_GATE_LU = -70.0, -10.0
# The recommendation tabulates its two filters for 48 kHz; these are the analogue forms that give
# those tables (frequency in Hz, quality, and the shelf's gain), from which any rate follows.
_SHELF_HZ, _SHELF_Q, _SHELF_DB = 1_681.974450955533, 0.7071752369554196, 3.999843853973347
_SHELF_MIDDLE = 0.4996667741545416  # exponent of the shelf's gain at its own frequency
_HIGH_PASS_HZ, _HIGH_PASS_Q = 38.13547087602444, 0.5003270373238773


class LoudnessMeter:
    """Measures sound that comes in blocks of any length; keeps ten numbers for each second."""

    def __init__(self, rate_hz: int) -> None:
        import numpy as np

        self._filter = _KWeighting.at_rate(rate_hz)
        self._step = round(rate_hz / _STEPS_PER_S)
        self._memory = np.zeros(_KWeighting.ORDER)
        self._samples = np.zeros(0)  # not filtered yet: less than a block
        self._squares = np.zeros(0)  # filtered, and less than a step
        self._powers = array("d")  # not a list of small arrays: these take ten times as much

    def add(self, samples: NDArray[np.int16]) -> None:
        """Measures more samples."""
        for at in range(0, len(samples), _AT_ONCE):
            self._add(samples[at : at + _AT_ONCE])

    def _add(self, samples: NDArray[np.int16]) -> None:
        import numpy as np

        waiting = np.concatenate((self._samples, samples / _FULL_SCALE))
        whole = len(waiting) // _BLOCK * _BLOCK
        self._samples = waiting[whole:]
        weighted, self._memory = self._filter.run(waiting[:whole], self._memory)
        self._fold(weighted)

    def _fold(self, weighted: Floats) -> None:
        import numpy as np

        squares = np.concatenate((self._squares, weighted**2))
        whole = len(squares) // self._step * self._step
        self._squares = squares[whole:]
        self._powers.frombytes(squares[:whole].reshape(-1, self._step).mean(axis=1).tobytes())

    def close(self) -> float | None:
        """LUFS of all samples, of which there may be no more; None where they are less than
        400 ms, or nothing is louder than -70 LUFS."""
        import numpy as np

        rest = np.pad(self._samples, (0, -len(self._samples) % _BLOCK))
        self._fold(self._filter.run(rest, self._memory)[0][: len(self._samples)])
        powers = np.frombuffer(self._powers)
        if len(powers) < _STEPS_PER_WINDOW:
            return None
        windows = np.convolve(powers, np.full(_STEPS_PER_WINDOW, 1 / _STEPS_PER_WINDOW), "valid")
        loud = windows[windows > _power(_ABSOLUTE_GATE_LUFS)]
        if not len(loud):
            return None
        gate = _power(_lufs(float(loud.mean())) + _RELATIVE_GATE_LU)
        return round(_lufs(float(loud[loud > gate].mean())), 2)


def measure_loudness(samples: NDArray[np.int16], rate_hz: int) -> float | None:
    """LUFS of mono samples; None where they are too few or too quiet to measure."""
    meter = LoudnessMeter(rate_hz)
    meter.add(samples)
    return meter.close()


def _power(lufs: float) -> float:
    return float(10 ** ((lufs - _OFFSET_LUFS) / 10))


def _lufs(power: float) -> float:
    return _OFFSET_LUFS + 10 * math.log10(power)


class _KWeighting:
    """Both filters as one system with a state of four numbers: for a block of inputs x and the
    state z before it, the output is `direct @ x + ringing @ z`, and `fed @ x + power @ z` the
    state after it."""

    ORDER = 4

    def __init__(self, rate_hz: int) -> None:
        import numpy as np

        keep, feed, tap, through = _in_series(*map(_state_space, _biquads(rate_hz)))
        powers = [np.eye(self.ORDER)]
        for _ in range(_BLOCK):
            powers.append(keep @ powers[-1])
        self._ringing = np.stack([tap @ power for power in powers[:-1]], axis=1)
        self._fed = np.stack([power @ feed for power in powers[-2::-1]])
        impulse = np.array([through, *(float(tap @ p @ feed) for p in powers[: _BLOCK - 1])])
        self._direct = np.zeros((_BLOCK, _BLOCK))
        for at in range(_BLOCK):
            self._direct[at, at:] = impulse[: _BLOCK - at]
        self._power = powers[-1].T
        self._rings = math.ceil(rate_hz * _RINGS_S / _BLOCK)  # in blocks

    @staticmethod
    @functools.cache
    def at_rate(rate_hz: int) -> _KWeighting:
        """The filter for a sample rate."""
        return _KWeighting(rate_hz)

    def run(self, samples: Floats, state: Floats) -> tuple[Floats, Floats]:
        """Filters whole blocks; what comes out, and the state behind the last."""
        import numpy as np

        blocks = samples.reshape(-1, _BLOCK)
        if not len(blocks):
            return samples, state
        states = blocks @ self._fed
        states[0] += state @ self._power
        power, reach = self._power, 1
        while reach < min(self._rings, len(states)):
            # Each state takes in what is `reach` blocks before it, which holds as many already.
            states[reach:] += states[:-reach] @ power
            power, reach = power @ power, 2 * reach
        before = np.concatenate((state[None, :], states[:-1]))
        return (blocks @ self._direct + before @ self._ringing).reshape(-1), states[-1]


def _biquads(rate_hz: int) -> tuple[tuple[list[float], list[float]], ...]:
    """Numerator and denominator of the shelf and of the high pass, by the bilinear transform."""
    k = math.tan(math.pi * _SHELF_HZ / rate_hz)
    high = 10 ** (_SHELF_DB / 20)
    middle = high**_SHELF_MIDDLE
    a0 = 1 + k / _SHELF_Q + k * k
    above = [
        (high + middle * k / _SHELF_Q + k * k) / a0,
        2 * (k * k - high) / a0,
        (high - middle * k / _SHELF_Q + k * k) / a0,
    ]
    shelf = above, [2 * (k * k - 1) / a0, (1 - k / _SHELF_Q + k * k) / a0]
    k = math.tan(math.pi * _HIGH_PASS_HZ / rate_hz)
    a0 = 1 + k / _HIGH_PASS_Q + k * k
    return shelf, ([1.0, -2.0, 1.0], [2 * (k * k - 1) / a0, (1 - k / _HIGH_PASS_Q + k * k) / a0])


_System = tuple["Floats", "Floats", "Floats", float]


def _state_space(biquad: tuple[list[float], list[float]]) -> _System:
    """A filter as what it keeps of its state, what an input feeds into that, what is tapped of it
    for the output, and how much of the input goes through."""
    import numpy as np

    (b0, b1, b2), (a1, a2) = biquad
    return (
        np.array([[-a1, 1.0], [-a2, 0.0]]),
        np.array([b1 - a1 * b0, b2 - a2 * b0]),
        np.array([1.0, 0.0]),
        b0,
    )


def _in_series(first: _System, second: _System) -> _System:
    import numpy as np

    keep1, feed1, tap1, through1 = first
    keep2, feed2, tap2, through2 = second
    keep = np.block([[keep1, np.zeros((2, 2))], [np.outer(feed2, tap1), keep2]])
    feed = np.concatenate((feed1, feed2 * through1))
    return keep, feed, np.concatenate((through2 * tap1, tap2)), through1 * through2


# Sounds together ----------------------------------------------------------------------------------

PEAK_DBFS = -1.5  # of samples; between two of them a peak of speech is hardly half a dB higher
LIMITED_CREST_DB = 14.0  # how far the peaks of limited speech stand above its loudness at least


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


# The voices of a book -----------------------------------------------------------------------------

BookVoice = tuple[int, str]
"""A voice of a book: the number of the book in its run, and the voice's name."""

OFF_TARGET_DB = 1.6  # a step of gain, and what rounding to whole steps may add


@dataclass(frozen=True, slots=True)
class OffTarget:
    """A voice that could not be brought to the target, since it would clip or be squashed."""

    voice: str
    loudness_lufs: float
    target_lufs: float


class Loudness:
    """Levels of chapters by voice, and the steps of gain that bring each voice to the target.
    Without a target every gain is 0."""

    def __init__(self, target_lufs: float | None) -> None:
        self.target_lufs = target_lufs
        self._levels: dict[BookVoice, dict[int, Meter]] = defaultdict(dict)
        self._so_far: dict[BookVoice, Meter] = defaultdict(Meter)
        self._wholes: dict[BookVoice, Meter] = {}

    def steps(self, voice: BookVoice, chapter: int, level: Meter) -> int:
        """Takes a chapter's level (without gain) into account; the gain for it, as far as can be
        told by now."""
        before = self._levels[voice].get(chapter)
        if before and before.known == level.known:
            return self.settled(voice)
        self._levels[voice][chapter] = level
        self._wholes.pop(voice, None)
        so_far = self._so_far[voice]
        so_far.join(level)
        return 0 if self.target_lufs is None else so_far.steps_to(self.target_lufs)

    def settled(self, voice: BookVoice) -> int:
        """The gain that fits all chapters of this voice, such that none clips."""
        return 0 if self.target_lufs is None else self.level(voice).steps_to(self.target_lufs)

    def find_off_target(self) -> Iterator[OffTarget]:
        """The voices that come out louder or softer than asked for by more than OFF_TARGET_DB."""
        for voice in self._levels:
            loudness_lufs = self.level(voice).loudness_lufs
            if self.target_lufs is None or loudness_lufs is None:
                continue
            reached_lufs = loudness_lufs + self.settled(voice) * GAIN_STEP_DB
            if abs(self.target_lufs - reached_lufs) > OFF_TARGET_DB:
                yield OffTarget(voice[1], reached_lufs, self.target_lufs)

    def level(self, voice: BookVoice) -> Meter:
        """All chapters of this voice together, without gain, in their order."""
        if voice not in self._wholes:
            whole = self._wholes[voice] = Meter()
            for _, level in sorted(self._levels[voice].items()):
                whole.join(level)
        return self._wholes[voice]
