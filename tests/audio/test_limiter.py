"""The limiter keeps true peaks below its ceiling and leaves all else alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tts_book.audio.limiter import limit_blocks, limit_peaks, true_peaks

RATE_HZ = 24_000
Floats = NDArray[np.float64]


def shouts(seconds: int = 5) -> Floats:
    """Quiet noise with bursts of loud sines, at whose samples no peak may show."""
    random = np.random.default_rng(2)
    sound = random.normal(0, 0.03, seconds * RATE_HZ)
    for start in random.integers(0, len(sound) - 4_000, 4 * seconds):
        hz, length = random.uniform(100, 9_000), int(random.integers(200, 4_000))
        turns = 2 * np.pi * hz * np.arange(length) / RATE_HZ + random.uniform(0, 6)
        sound[start : start + length] += random.uniform(0.3, 2.5) * np.sin(turns)
    return np.asarray(sound, np.float64)


def oversampled(sound: Floats) -> Floats:
    """Eight times the rate, by adding zeros to the spectrum: exact for what the file holds."""
    spectrum = np.fft.rfft(sound)
    wide = np.zeros(4 * len(sound) + 1, complex)
    wide[: len(spectrum)] = spectrum
    return np.fft.irfft(wide, 8 * len(sound)) * 8


@pytest.mark.parametrize("phase", [0.0, np.pi / 4, np.pi / 3])
def test_a_peak_between_samples_is_seen(phase: float) -> None:
    """A sine at a quarter of the rate: its samples may be 3 dB lower than its peak."""
    sine = np.sin(np.pi / 2 * np.arange(4_800) + phase)
    assert true_peaks(sine, 0.0)[100:-100].max() == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("ceiling", [0.2, 0.6, 0.891])
def test_no_true_peak_is_above_the_ceiling(ceiling: float) -> None:
    limited = limit_peaks(shouts(), RATE_HZ, ceiling)
    assert np.abs(oversampled(limited)[800:-800]).max() <= ceiling * 1.03  # a quarter of a dB


def test_what_is_low_enough_stays_as_it_is() -> None:
    sound = shouts()
    assert limit_peaks(sound, RATE_HZ, 10.0) is sound
    limited = limit_peaks(sound, RATE_HZ, 0.6)
    far = np.convolve(true_peaks(sound, 0.0) > 0.6, np.ones(2 * 24 * 14), "same") < 0.5
    assert far.sum() > 10_000
    assert np.allclose(limited[far], sound[far], rtol=1e-12, atol=0)


@pytest.mark.parametrize("sizes", [[1], [777], [24_000], [50_000, 3], [0, 5]])
def test_blocks_of_any_length_give_the_same(sizes: list[int]) -> None:
    sound = shouts(3)
    at = 0
    blocks: list[Floats] = []
    while at < len(sound):
        size = sizes[len(blocks) % len(sizes)]
        blocks.append(sound[at : at + size])
        at += size
    limited = np.concatenate(list(limit_blocks(blocks[:3_000], RATE_HZ, 0.6)))
    whole = limit_peaks(np.concatenate(blocks[:3_000]), RATE_HZ, 0.6)
    assert len(limited) == len(whole)
    assert np.abs(limited - whole).max() < 2e-3
